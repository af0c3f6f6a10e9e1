import { setTimeout as sleep } from 'node:timers/promises';
import { migrationWorkflowId, type MigrationResult } from '../../src/job/job.ts';
import type { Lab } from '../support/lab.ts';

/** Nothing that a round does may keep a job from its end for longer. */
const PATIENCE_MS = 300_000;
/** A process that is started takes a second of CPU, and other rounds may run beside this one. */
const AGAIN_MS = 2_000;

/** The end of the job's newest run, or of the wait; Temporal may be away meanwhile. */
export async function ended(
  lab: Lab,
  job: string,
  given: AbortSignal = new AbortController().signal,
): Promise<MigrationResult> {
  for (const deadline = performance.now() + PATIENCE_MS; ; await sleep(500)) {
    try {
      // A poll that is left open would fail with nobody to catch it when the connection closes.
      const timeoutMs = Math.max(1, Math.round(deadline - performance.now()));
      const signal = AbortSignal.any([given, AbortSignal.timeout(timeoutMs)]);
      return await lab.client.withAbortSignal(signal, () => lab.result(job));
    } catch {
      given.throwIfAborted();
      if (performance.now() > deadline) {
        const { status, waits, batchesInHand } = await lab.snapshot(job);
        const waiting = waits.map(({ reason, count }) => `${count} for ${reason}`).join(', ');
        throw new Error(
          `the job did not end within ${PATIENCE_MS / 1_000} s: ${status}, in hand ${batchesInHand.join(', ')}, waiting ${waiting}`,
        );
      }
    }
  }
}

/** `ferry start`, until Temporal is there to take it. */
export async function untilAccepted(
  start: () => Promise<{ code: number | null; stderr: string }>,
): Promise<void> {
  for (const deadline = performance.now() + PATIENCE_MS; ; await sleep(AGAIN_MS)) {
    const { code, stderr } = await start();
    if (code === 0 || /open already/.test(stderr)) return;
    if (performance.now() > deadline) throw new Error(`ferry start ended with ${code}: ${stderr}`);
  }
}

/** Batches of the job that are open, as the server alone knows it: a busy worker need not answer. 0 while it is away. */
export async function batchesInHand(lab: Lab, job: string): Promise<number> {
  const query = `WorkflowType = 'batch' AND ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH '${migrationWorkflowId(job)}/'`;
  return lab.client.workflow.count(query).then(
    ({ count }) => count,
    () => 0,
  );
}

/** Whether the server says that no run of the job is open. */
export async function isClosed(lab: Lab, job: string): Promise<boolean> {
  const handle = lab.client.workflow.getHandle(migrationWorkflowId(job));
  return handle.describe().then(
    ({ status }) => status.name !== 'RUNNING',
    () => false,
  );
}
