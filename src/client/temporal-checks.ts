import type { Client } from '@temporalio/client';
import type { InputError } from '../errors.ts';
import { ok, problem, warning } from '../inquiry/preflight-check.ts';
import type { Check } from '../job/inquiry.ts';
import { LEDGER_TASK_QUEUE, TASK_QUEUE } from '../job/job.ts';
import { pollers, within } from './pollers.ts';

const LIMIT_MS = 5_000;
/** A migration should be readable for a weekend after its end; Temporal deletes it after the retention. */
const SHORTEST_RETENTION_DAYS = 3;
const DAY_SECONDS = 86_400;
/** As the server's interface numbers it. */
const TaskQueueType = { ACTIVITY: 2 } as const;

/** What preflight says where no connection to Temporal came about. */
export function temporalOut({ problems }: InputError): Check[] {
  return problems.map((message) => {
    const isNamespace = message.startsWith('TEMPORAL_NAMESPACE');
    return problem(
      isNamespace ? 'temporal.namespace' : 'temporal.server',
      message,
      'Mend that, or add --local to look at the other services from this machine.',
    );
  });
}

/** What was found in Temporal. */
export interface TemporalFindings {
  readonly checks: readonly Check[];
  /** Whether a worker polls, as far as the server says. */
  readonly isPolled: boolean;
  /** Whether a worker polls the ledger's task queue; null if the server does not say. */
  readonly isLedgerPolled: boolean | null;
}

/** Looks at Temporal from where the command runs: server, namespace, and who polls the task queues. */
export async function lookAtTemporal(client: Client): Promise<TemporalFindings> {
  const [server, namespace, work, isLedgerPolled] = await Promise.all([
    serverCheck(client),
    namespaceChecks(client),
    pollers(client),
    pollsLedger(client),
  ]);
  return {
    checks: [server, ...namespace, workCheck(work?.length ?? null)],
    isPolled: work === null || work.length > 0,
    isLedgerPolled,
  };
}

/** @param hasLedger whether the workers are to mirror jobs */
export function ledgerQueueChecks({ isLedgerPolled }: TemporalFindings, hasLedger: boolean): Check[] {
  if (!hasLedger || isLedgerPolled === null) return [];
  return [
    isLedgerPolled
      ? ok('workers.ledger', `A worker polls ${LEDGER_TASK_QUEUE}.`)
      : problem(
          'workers.ledger',
          `No worker polls ${LEDGER_TASK_QUEUE}: nothing would be written to the ledger.`,
          'Start a worker with SUPABASE_URL and SUPABASE_KEY: `ferry worker`.',
        ),
  ];
}

async function serverCheck(client: Client): Promise<Check> {
  const info = await within(client, LIMIT_MS, () => client.workflowService.getSystemInfo({}));
  const version = info?.serverVersion;
  return ok('temporal.server', version ? `Temporal ${version} answers.` : 'Temporal answers.');
}

async function namespaceChecks(client: Client): Promise<Check[]> {
  const { namespace } = client.options;
  const described = await within(client, LIMIT_MS, () =>
    client.workflowService.describeNamespace({ namespace }),
  );
  const seconds = described?.config?.workflowExecutionRetentionTtl?.seconds;
  const exists = ok('temporal.namespace', `The namespace ${namespace} exists.`);
  // Some keys may use a namespace and not describe it.
  if (seconds == null) return [exists];
  const days = Number(seconds) / DAY_SECONDS;
  const count = days.toLocaleString('en-US', { maximumFractionDigits: 1 });
  const kept = `Ended jobs are kept for ${count} ${count === '1' ? 'day' : 'days'}`;
  return [
    exists,
    days < SHORTEST_RETENTION_DAYS
      ? warning(
          'temporal.retention',
          `${kept}: after that Temporal forgets what became of them.`,
          `Raise it: \`temporal operator namespace update --namespace ${namespace} --retention 720h\` (TEMPORAL_NAMESPACE).`,
        )
      : ok('temporal.retention', `${kept}.`),
  ];
}

async function pollsLedger(client: Client): Promise<boolean | null> {
  const answer = await within(client, LIMIT_MS, () =>
    client.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: LEDGER_TASK_QUEUE },
      taskQueueType: TaskQueueType.ACTIVITY,
    }),
  );
  return answer === null ? null : (answer.pollers ?? []).length > 0;
}

function workCheck(workers: number | null): Check {
  if (workers === null) return ok('workers.work', 'Temporal does not say whether workers poll.');
  return workers === 0
    ? problem(
        'workers.work',
        `No worker polls ${TASK_QUEUE}: the other services cannot be looked at from there.`,
        'Start one with `ferry worker`, or add --local to look from this machine.',
      )
    : ok('workers.work', `${workers} ${workers === 1 ? 'worker polls' : 'workers poll'} ${TASK_QUEUE}.`);
}
