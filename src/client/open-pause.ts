import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { migrationWorkflowId, type HaltingFault } from '../job/job.ts';
import { halted, pause, resume } from '../job/messages.ts';
import { historyEvents, type HistoryEvent } from './history.ts';

const HISTORY_TIMEOUT_MS = 20_000;

/** Why an open run is paused. */
export interface OpenPause {
  /** ISO 8601. */
  readonly since: string;
  /** For a person: who asked for it, or the fault's code and message. */
  readonly reason: string;
}

/**
 * The pause of an open run, from the signals in its history: no worker is needed. Null if it is not paused, or only
 * because it could not be prepared or planned.
 */
export async function pauseOf(client: Client, name: string): Promise<OpenPause | null> {
  const handle = client.workflow.getHandle(migrationWorkflowId(name));
  return client.withDeadline(Date.now() + HISTORY_TIMEOUT_MS, async () => {
    const { runId } = await handle.describe();
    const pauses = new PauseSignals();
    for await (const event of historyEvents(client, { workflowId: handle.workflowId, runId }))
      pauses.read(event);
    return pauses.current;
  });
}

/** What the signals of a history, read one after the other, make of its pause; as the workflow takes them. */
export class PauseSignals {
  #current: OpenPause | null = null;
  #epoch = 0;

  get current(): OpenPause | null {
    return this.#current;
  }

  read({ workflowExecutionSignaledEventAttributes: signal, eventTime }: HistoryEvent): void {
    if (signal?.signalName === resume.name) {
      if (this.#current !== null) this.#epoch++;
      this.#current = null;
      return;
    }
    const reason = this.#reasonOf(signal);
    if (reason === null || this.#current !== null) return;
    this.#current = { since: new Date(Number(eventTime?.seconds ?? 0) * 1_000).toISOString(), reason };
  }

  #reasonOf(signal: HistoryEvent['workflowExecutionSignaledEventAttributes']): string | null {
    if (signal?.signalName === pause.name) return `on request of ${signal.identity ?? 'somebody'}`;
    const payload = signal?.input?.payloads?.[0];
    if (signal?.signalName !== halted.name || payload == null) return null;
    const { code, message, epoch } = defaultPayloadConverter.fromPayload<HaltingFault & { epoch: number }>(
      payload,
    );
    // A halt from before the last resume is answered by it.
    if (epoch < this.#epoch) return null;
    this.#epoch = epoch;
    return `${code}: ${message}`;
  }
}
