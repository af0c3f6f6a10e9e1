import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { opened } from './opened.ts';

/** An event of a history, as the server sends it. */
export type HistoryEvent = NonNullable<
  NonNullable<
    Awaited<ReturnType<Client['workflowService']['getWorkflowExecutionHistory']>>['history']
  >['events']
>[number];

/** The events of one execution in order, page by page as they are asked for. */
export async function* historyEvents(
  client: Client,
  execution: { workflowId: string; runId: string },
): AsyncGenerator<HistoryEvent> {
  let nextPageToken: Uint8Array | null | undefined;
  do {
    const page = await client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution,
      nextPageToken,
    });
    yield* (await opened(client, page.history))?.events ?? [];
    ({ nextPageToken } = page);
  } while (nextPageToken != null && nextPageToken.length > 0);
}

/** Finds what an activity of that type returned in a history that is read event by event. */
export class ActivityResult<T> {
  readonly #type: string;
  readonly #scheduled = new Set<string>();

  constructor(type: string) {
    this.#type = type;
  }

  /** @returns the result if this event brings it, else null */
  read({ eventId, ...event }: HistoryEvent): T | null {
    const {
      activityTaskScheduledEventAttributes: scheduled,
      activityTaskCompletedEventAttributes: completed,
    } = event;
    if (scheduled?.activityType?.name === this.#type) this.#scheduled.add(String(eventId));
    const payload = completed?.result?.payloads?.[0];
    const isOurs = this.#scheduled.has(String(completed?.scheduledEventId));
    return isOurs && payload != null ? defaultPayloadConverter.fromPayload<T>(payload) : null;
  }
}
