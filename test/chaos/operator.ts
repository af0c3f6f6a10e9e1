import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../support/lab.ts';

const LOOK_EVERY_MS = 1_500;

/** Somebody who resumes a job that a fault has paused, once the fault is over. */
export class Operator {
  readonly #lab: Lab;
  readonly #settings: Record<string, string>;
  readonly #job: string;
  readonly #halts: string[] = [];

  constructor(lab: Lab, settings: Record<string, string>, job: string) {
    this.#lab = lab;
    this.#settings = settings;
    this.#job = job;
  }

  /** Codes of the faults that have paused the job, one a pause. */
  get halts(): readonly string[] {
    return this.#halts;
  }

  /** Looks after the job until the signal. @param isCalm whether nothing that may pause it lasts */
  async watch(isCalm: () => boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || !isCalm()) continue;
      const snapshot = await this.#lab.snapshot(this.#job).catch(() => undefined);
      if (snapshot?.status !== 'paused' || signal.aborted) continue;
      const { code } = await this.#lab.ferryWith(this.#settings, 'resume', this.#job);
      if (code === 0) this.#halts.push(snapshot.pauseReason ?? 'unknown');
    }
  }
}
