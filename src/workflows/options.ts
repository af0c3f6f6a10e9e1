import type { ActivityOptions } from '@temporalio/workflow';
import type { JobSpecification } from '../job/specification.ts';
import { LEDGER_TASK_QUEUE } from '../job/job.ts';

const HOUR_MS = 3_600_000;

/**
 * Options of the activities that touch source and target. No maximumAttempts: a worker's shutdown, a lost heartbeat
 * and a server's "slow down" would use them up; repeats after unexplained faults are counted by the caller.
 */
export function workOptions(specification: JobSpecification): ActivityOptions {
  return {
    startToCloseTimeout: specification.patienceMs + HOUR_MS,
    heartbeatTimeout: 2 * specification.heartbeatIntervalMs,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
  };
}

/** Options of the ledger's mirror: short attempts, repeated by the server until the ledger is back. */
export const MIRROR_OPTIONS: ActivityOptions = {
  taskQueue: LEDGER_TASK_QUEUE,
  startToCloseTimeout: '10s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5s' },
  // A call that is given up at continue-as-new must not hold it up; repeating it is harmless.
  cancellationType: 'TRY_CANCEL',
};

/** Options of inquiries; a plan of every range of a large table takes hours. */
export const INQUIRY_OPTIONS: ActivityOptions = {
  startToCloseTimeout: '12h',
  heartbeatTimeout: '30s',
  // A worker that shuts down or dies hands over; what is wrong elsewhere is reported at once.
  retry: { maximumAttempts: 3 },
};
