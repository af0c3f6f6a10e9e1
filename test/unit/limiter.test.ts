import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import fc from 'fast-check';

import type { Clock } from '../../src/embedding/clock.ts';
import { type Permit, RateLimiter, type RateLimiterOptions } from '../../src/embedding/limiter.ts';
import type { RateReading } from '../../src/embedding/rate-headers.ts';

/** Time that passes only when everybody sleeps. */
class FakeClock implements Clock {
  #now = 0;
  readonly #sleepers = new Set<{ at: number; wake: () => void }>();

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal: AbortSignal = new AbortController().signal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper = { at: this.#now + ms, wake };
      this.#sleepers.add(sleeper);
      signal.addEventListener('abort', wake);
    });
  }

  /** Lets time pass until the promise is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = (): void => void (settled = true);
    promise.then(done, done);
    for (;;) {
      await turn();
      if (settled) return promise;
      let next: { at: number; wake: () => void } | undefined;
      for (const sleeper of this.#sleepers) {
        if (next === undefined || sleeper.at < next.at) next = sleeper;
      }
      assert.ok(next !== undefined, 'everybody waits and nobody sleeps: a deadlock');
      this.#now = Math.max(this.#now, next.at);
      assert.ok(this.#now < 30 * 86_400_000, 'nothing comes of the waiting');
      next.wake();
    }
  }
}

/** Reproducible numbers from 0 to 1 (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const never = new AbortController().signal;

function limiterOn(clock: Clock, options: Partial<RateLimiterOptions> = {}): RateLimiter {
  return new RateLimiter({ maxConcurrency: 8, clock, random: () => 0, ...options });
}

function tokensReading(limit: number, remaining: number): RateReading {
  return { requests: undefined, tokens: { limit, remaining, resetMs: undefined } };
}

/** Takes a permit and gives it back, so that the next requests may go side by side. */
async function warmUp(limiter: RateLimiter, times: number, reading?: RateReading): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    (await limiter.acquire(0, { signal: never })).release({ outcome: 'answered', reading });
  }
}

interface Grant {
  readonly index: number;
  readonly at: number;
  readonly tokens: number;
}

/** Runs requests that arrive at given times and take given times; returns them in the order of their grants. */
async function runRequests(
  options: Partial<RateLimiterOptions>,
  requests: readonly { arrivesAfter: number; tokens: number; takes: number }[],
): Promise<Grant[]> {
  const clock = new FakeClock();
  const limiter = limiterOn(clock, options);
  const grants: Grant[] = [];
  const running: Promise<void>[] = [];
  const all = async (): Promise<void> => {
    for (const [index, { arrivesAfter, tokens, takes }] of requests.entries()) {
      if (arrivesAfter > 0) await clock.sleep(arrivesAfter);
      running.push(
        limiter.acquire(tokens, { signal: never }).then(async (permit) => {
          grants.push({ index, at: clock.now(), tokens });
          await clock.sleep(takes);
          permit.release({ outcome: 'answered' });
        }),
      );
    }
    await Promise.all(running);
  };
  await clock.until(all());
  return grants;
}

const requestsArbitrary = fc.array(
  fc.record({
    arrivesAfter: fc.integer({ min: 0, max: 3_000 }),
    tokens: fc.integer({ min: 0, max: 1_500 }),
    takes: fc.integer({ min: 0, max: 5_000 }),
  }),
  { minLength: 1, maxLength: 40 },
);

describe('rate limiter, by its settings alone', () => {
  it('never exceeds the budgets in any span of time beyond one burst, and lets everything through in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        requestsArbitrary,
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 500, max: 5_000 }),
        async (requests, rpm, tpm) => {
          const grants = await runRequests({ requestsPerMinute: rpm, tokensPerMinute: tpm }, requests);
          assert.deepEqual(
            grants.map(({ index }) => index),
            [...requests.keys()],
          );
          for (const [from, first] of grants.entries()) {
            let tokens = 0;
            let largest = 0;
            for (const [offset, grant] of grants.slice(from).entries()) {
              tokens += grant.tokens;
              largest = Math.max(largest, grant.tokens);
              const minutes = (grant.at - first.at) / 60_000;
              assert.ok(offset + 1 <= rpm * (1 + minutes) + 1e-3, 'requests');
              assert.ok(tokens <= Math.max(tpm, largest) + tpm * minutes + 1e-3, 'tokens');
            }
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('loses nothing of the budget: after the burst, work that waits goes at the full pace', async () => {
    const requests = Array.from({ length: 60 }, () => ({ arrivesAfter: 0, tokens: 100, takes: 10 }));
    const grants = await runRequests({ tokensPerMinute: 1_000 }, requests);
    const idealMs = ((6_000 - 1_000) / 1_000) * 60_000;
    assert.ok(Math.abs(grants.at(-1)!.at - idealMs) < 100, String(grants.at(-1)!.at));
  });

  it('lets a request above a whole budget go when the budget is full, and makes up for it', async () => {
    const grants = await runRequests({ tokensPerMinute: 1_000 }, [
      { arrivesAfter: 0, tokens: 500, takes: 10 },
      { arrivesAfter: 0, tokens: 3_000, takes: 10 },
      { arrivesAfter: 0, tokens: 500, takes: 10 },
    ]);
    assert.deepEqual(
      grants.map(({ at }) => Math.round(at / 1_000)),
      [0, 30, 180],
    );
  });

  it('knows no limit without settings and headers', async () => {
    const requests = Array.from({ length: 50 }, () => ({ arrivesAfter: 0, tokens: 1e9, takes: 0 }));
    assert.equal((await runRequests({}, requests)).at(-1)!.at, 0);
  });

  it('begins with one request in flight and opens up with each answer, to the limit', async () => {
    const clock = new FakeClock();
    const limiter = limiterOn(clock, { maxConcurrency: 3 });
    const permits: Permit[] = [];
    for (let n = 0; n < 10; n += 1) {
      void limiter.acquire(1, { signal: never }).then((permit) => permits.push(permit));
    }
    await turn();
    assert.equal(permits.length, 1);
    permits[0]!.release({ outcome: 'answered' });
    permits[0]!.release({ outcome: 'answered' });
    await turn();
    assert.equal(permits.length, 3, 'releasing twice counts once');
    permits[1]!.release({ outcome: 'failed' });
    await turn();
    assert.equal(permits.length, 4, 'a failure opens nothing');
    for (const permit of permits.slice(2)) permit.release({ outcome: 'answered' });
    await turn();
    assert.equal(permits.length, 7);
  });
});

describe('rate limiter, aborted', () => {
  it('frees the place of a request that gave up, whatever the reason', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }), async (gaveUp) => {
        const clock = new FakeClock();
        const limiter = limiterOn(clock, { tokensPerMinute: 100 });
        (await limiter.acquire(100, { signal: never })).release({ outcome: 'answered' });
        const outcomes = gaveUp.map(async (givesUp, index) => {
          const controller = new AbortController();
          const reason = new Error(`cancelled ${index}`);
          if (givesUp) void clock.sleep(1_000 * index).then(() => controller.abort(reason));
          try {
            const permit = await limiter.acquire(50, { signal: controller.signal });
            permit.release({ outcome: 'answered' });
            return clock.now();
          } catch (error) {
            assert.equal(error, reason);
            return null;
          }
        });
        const granted = (await clock.until(Promise.all(outcomes))).filter((at) => at !== null);
        const staying = gaveUp.filter((givesUp) => !givesUp).length;
        assert.ok(granted.length >= staying);
        // Each of those granted waited for its own tokens only: 50 of 100 a minute.
        assert.ok((granted.at(-1) ?? 0) <= granted.length * 30_000 + 100);
      }),
      { numRuns: 50 },
    );
  });

  it('lets the next go as soon as the budget has enough for it', async () => {
    const clock = new FakeClock();
    const limiter = limiterOn(clock, { tokensPerMinute: 1_000 });
    (await limiter.acquire(900, { signal: never })).release({ outcome: 'answered' });
    const controller = new AbortController();
    const large = limiter.acquire(1_000, { signal: controller.signal });
    const small = limiter.acquire(100, { signal: never });
    void clock.sleep(10).then(() => controller.abort(new Error('cancelled')));
    await assert.rejects(clock.until(large));
    await clock.until(small);
    assert.equal(clock.now(), 10);
  });

  it('rejects at once with the reason of a signal that has aborted', async () => {
    const reason = new Error('cancelled');
    const limiter = limiterOn(new FakeClock());
    await assert.rejects(limiter.acquire(1, { signal: AbortSignal.abort(reason) }), reason);
    (await limiter.acquire(1, { signal: never })).release({ outcome: 'answered' });
  });
});

describe('rate limiter, waits', () => {
  const waits = async (tokens: number): Promise<(string | null)[]> => {
    const clock = new FakeClock();
    const limiter = limiterOn(clock, { tokensPerMinute: 60_000 });
    (await limiter.acquire(60_000, { signal: never })).release({ outcome: 'answered' });
    const told: (string | null)[] = [];
    await clock.until(limiter.acquire(tokens, { signal: never, onWait: (reason) => told.push(reason) }));
    return told;
  };

  it('says that it waits, and when it does no more', async () => {
    assert.deepEqual(await waits(1_000), ['rate_budget', null]);
  });

  it('says nothing of a moment', async () => {
    assert.deepEqual(await waits(30), []);
  });
});

describe('rate limiter, corrected by the service', () => {
  it('counts on what the service says is left, less what it cannot have seen', async () => {
    const clock = new FakeClock();
    const limiter = limiterOn(clock);
    await warmUp(limiter, 2);
    const early = await limiter.acquire(10_000, { signal: never });
    const late = await limiter.acquire(20_000, { signal: never });
    early.release({ outcome: 'answered', reading: tokensReading(60_000, 30_000) });
    assert.equal(limiter.tokensPerMinute, 60_000);
    // 30,000 are left, of which 20,000 are on their way: 5,000 are missing, 1,000 come each second.
    await clock.until(limiter.acquire(15_000, { signal: never }));
    assert.equal(clock.now(), 5_000);
    late.release({ outcome: 'failed' });
  });

  it('never goes beyond its settings, whatever the service says', async () => {
    const clock = new FakeClock();
    const limiter = limiterOn(clock, { tokensPerMinute: 6_000 });
    await warmUp(limiter, 1, tokensReading(1_000_000, 1_000_000));
    assert.equal(limiter.tokensPerMinute, 6_000);
    const permit = await limiter.acquire(6_000, { signal: never });
    permit.release({ outcome: 'answered', reading: tokensReading(1_000_000, 990_000) });
    await clock.until(limiter.acquire(1_000, { signal: never }));
    assert.equal(clock.now(), 10_000);
  });

  it('recognises a budget of a day by its reset', async () => {
    const clock = new FakeClock();
    const limiter = limiterOn(clock);
    const requests = { limit: 1_440, remaining: 0, resetMs: 86_400_000 };
    await warmUp(limiter, 1, { requests, tokens: undefined });
    await clock.until(limiter.acquire(1, { signal: never }));
    assert.equal(clock.now(), 60_000);
  });

  it('says at which pace: settings, then the lower of settings and service', async () => {
    const clock = new FakeClock();
    assert.deepEqual(limiterOn(clock).pace, { requestsPerMinute: null, tokensPerMinute: null });
    const limiter = limiterOn(clock, { requestsPerMinute: 60, tokensPerMinute: 5_000 });
    assert.deepEqual(limiter.pace, { requestsPerMinute: 60, tokensPerMinute: 5_000 });
    const budget = (limit: number) => ({ limit, remaining: limit / 2, resetMs: 30_000 });
    await warmUp(limiter, 1, { requests: budget(500), tokens: budget(3_000) });
    assert.deepEqual(limiter.pace, { requestsPerMinute: 60, tokensPerMinute: 3_000 });
    await warmUp(limiter, 1, { requests: budget(30), tokens: undefined });
    assert.deepEqual(limiter.pace, { requestsPerMinute: 30, tokensPerMinute: 3_000 });
    await warmUp(limiter, 1, { requests: budget(500), tokens: budget(9_000) });
    assert.deepEqual(limiter.pace, { requestsPerMinute: 60, tokensPerMinute: 5_000 });
  });

  it('says the pace of a budget of a day by its reset', async () => {
    const limiter = limiterOn(new FakeClock());
    const day = { limit: 14_400, remaining: 7_200, resetMs: 43_200_000 };
    await warmUp(limiter, 1, { requests: day, tokens: undefined });
    assert.equal(Math.round(limiter.pace.requestsPerMinute ?? 0), 10);
    assert.equal(limiter.pace.tokensPerMinute, null);
  });

  it('closes for everybody after a 429, then goes at the pace of the budget', async () => {
    const clock = new FakeClock();
    const limiter = limiterOn(clock, { tokensPerMinute: 60_000 });
    await warmUp(limiter, 1);
    const first = await limiter.acquire(1_000, { signal: never });
    const second = await limiter.acquire(1_000, { signal: never });
    first.release({ outcome: 'limited', retryAfterMs: 90_000, reading: tokensReading(60_000, 0) });
    second.release({ outcome: 'answered' });
    await clock.until(limiter.acquire(1_000, { signal: never }));
    assert.equal(clock.now(), 90_000);
  });

  it('backs off further and further if the service does not say how long, and less with each answer', async () => {
    const clock = new FakeClock();
    const limiter = limiterOn(clock, { random: () => 1 });
    const waits: number[] = [];
    for (let n = 0; n < 9; n += 1) {
      const asked = clock.now();
      const permit = await clock.until(limiter.acquire(1, { signal: never }));
      waits.push((clock.now() - asked) / 1_000);
      permit.release({ outcome: 'limited' });
    }
    assert.deepEqual(waits, [0, 1, 2, 4, 8, 16, 16, 16, 16]);
    // Each answer makes up for one refusal.
    for (const [answers, expected] of [
      [1, 16_000],
      [3, 4_000],
      [9, 1_000],
    ] as const) {
      for (let n = 0; n < answers; n += 1) {
        (await clock.until(limiter.acquire(1, { signal: never }))).release({ outcome: 'answered' });
      }
      (await limiter.acquire(1, { signal: never })).release({ outcome: 'limited' });
      const asked = clock.now();
      assert.equal(limiter.closedForMs, expected);
      const next = await clock.until(limiter.acquire(1, { signal: never }));
      assert.equal(clock.now() - asked, expected);
      next.release({ outcome: 'failed' });
    }
  });

  it('saves nothing up across a 429 without headers, and begins again with one request in flight', async () => {
    const clock = new FakeClock();
    const limiter = limiterOn(clock, { tokensPerMinute: 60_000 });
    await warmUp(limiter, 8);
    const refused = await limiter.acquire(1_000, { signal: never });
    refused.release({ outcome: 'limited', retryAfterMs: 3_000 });
    const [first, second, third] = [1_000, 1_000, 4_000].map((tokens) =>
      limiter.acquire(tokens, { signal: never }),
    );
    const permit = await clock.until(first!);
    assert.equal(clock.now(), 3_000);
    let sideBySide = false;
    void second!.then(() => (sideBySide = true));
    await clock.until(clock.sleep(1_000));
    assert.equal(sideBySide, false);
    permit.release({ outcome: 'answered' });
    await clock.until(second!);
    assert.equal(clock.now(), 4_000);
    await clock.until(third!);
    assert.equal(clock.now(), 6_000, '6,000 tokens in 6 seconds');
  });

  it('ignores the headers of an answer that was overtaken', async () => {
    const clock = new FakeClock();
    const limiter = limiterOn(clock);
    await warmUp(limiter, 2);
    const early = await limiter.acquire(1_000, { signal: never });
    const late = await limiter.acquire(1_000, { signal: never });
    late.release({ outcome: 'answered', reading: tokensReading(60_000, 0) });
    early.release({ outcome: 'answered', reading: tokensReading(60_000, 60_000) });
    await clock.until(limiter.acquire(1_000, { signal: never }));
    assert.equal(clock.now(), 1_000);
  });

  it('takes refusals of requests that were in flight together as one', async () => {
    const clock = new FakeClock();
    const limiter = limiterOn(clock, { random: () => 1 });
    await warmUp(limiter, 8);
    const permits = await Promise.all(Array.from({ length: 8 }, () => limiter.acquire(1, { signal: never })));
    for (const permit of permits) permit.release({ outcome: 'limited' });
    await clock.until(limiter.acquire(1, { signal: never }));
    assert.equal(clock.now(), 1_000);
  });
});

/** Several processes with a limiter each on one account; as the service counts and refuses. */
async function shareBudget(
  processCount: number,
  seed: number,
  silent = false,
): Promise<{ ratio: number; refused: number }> {
  const clock = new FakeClock();
  const random = seeded(seed);
  const limit = 600_000;
  const perMs = limit / 60_000;
  let level = limit;
  let at = 0;
  let paid = 0;
  let refused = 0;
  let left = 120;
  const refill = (): void => {
    level = Math.min(limit, level + (clock.now() - at) * perMs);
    at = clock.now();
  };
  const send = async (limiter: RateLimiter, tokens: number): Promise<number | null> => {
    const permit = await limiter.acquire(tokens, { signal: never });
    await clock.sleep(50 + 100 * random());
    refill();
    const missing = tokens - level;
    if (missing <= 0) level -= tokens;
    await clock.sleep(300 * random());
    refill();
    const reading = silent ? undefined : tokensReading(limit, Math.max(0, Math.floor(level)));
    if (missing <= 0) {
      permit.release({ outcome: 'answered', reading });
      return null;
    }
    const retryAfterMs = silent ? undefined : missing / perMs;
    permit.release({ outcome: 'limited', reading, retryAfterMs });
    return retryAfterMs ?? limiter.closedForMs;
  };
  const caller = async (limiter: RateLimiter): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const tokens = Math.round(10_000 + 20_000 * random());
      for (let wait = await send(limiter, tokens); wait !== null; wait = await send(limiter, tokens)) {
        refused += 1;
        await clock.sleep(wait);
      }
      paid += tokens;
    }
  };
  const callers = Array.from({ length: processCount }, () => limiterOn(clock, { random })).flatMap(
    (limiter) => Array.from({ length: 6 }, () => caller(limiter)),
  );
  await clock.until(Promise.all(callers));
  return { ratio: clock.now() / ((paid - limit) / perMs), refused: refused / 120 };
}

describe('several processes on one budget', () => {
  for (const processCount of [1, 2, 3]) {
    it(`${processCount}: at most 1.1 times what the budget dictates, and no storm of refusals`, async () => {
      for (let seed = 1; seed <= 10; seed += 1) {
        const { ratio, refused } = await shareBudget(processCount, seed);
        assert.ok(ratio <= 1.1, `seed ${seed}: ${ratio}`);
        assert.ok(refused <= (processCount === 1 ? 0 : 0.35), `seed ${seed}: ${refused}`);
      }
    });
  }

  for (const processCount of [1, 3]) {
    it(`${processCount}, of a service that says nothing of it: at most 1.1 times as well`, async () => {
      for (let seed = 1; seed <= 10; seed += 1) {
        const { ratio } = await shareBudget(processCount, seed, true);
        assert.ok(ratio <= 1.1, `seed ${seed}: ${ratio}`);
      }
    });
  }
});
