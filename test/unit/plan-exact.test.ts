import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plan } from '../../src/inquiry/plan.ts';
import { planBatches } from '../../src/planning/plan.ts';
import { ALL_IDS, planJob } from '../../src/planning/job-plan.ts';
import { EMPTY_DRY_RUN, addDryRuns, dryRun } from '../../src/reconcile/dry-run.ts';
import { reconcile } from '../../src/reconcile/reconcile.ts';
import { scanIds } from '../../src/reconcile/scan-ids.ts';
import { quietAttempt } from '../support/attempt.ts';
import { MemoryEmbedder, MemorySource, MemoryTarget } from '../support/memory.ts';
import { fakeSpecification } from '../support/specification.ts';

const specification = (prune: boolean, limit: number | null = null) =>
  fakeSpecification({
    chunking: { parentTokens: 16, childTokens: 8, overlapTokens: 2 },
    collection: { ...fakeSpecification().collection, model: 'm', dimensions: 1 },
    batchSize: 3,
    prune,
    limit,
  });

class World {
  readonly source = new MemorySource();
  readonly embedder = new MemoryEmbedder();
  readonly target = new MemoryTarget();
  readonly ledger = null;

  /** A whole job, undisturbed: the sums of its batches. */
  async run(prune: boolean, limit: number | null = null) {
    const spec = specification(prune, limit);
    const { partitions } = await planJob(
      scanIds(this.source, spec.table, ALL_IDS, quietAttempt(), limit),
      spec,
    );
    const sum = {
      records: 0,
      written: 0,
      unchanged: 0,
      skipped: 0,
      failed: 0,
      orphans: 0,
      pointsWritten: 0,
      pointsDeleted: 0,
      inputs: 0,
    };
    for (const partition of partitions) {
      const range = { after: BigInt(partition.after), upTo: BigInt(partition.upTo) };
      const ids = await this.source.ids(spec.table, range, 1_000);
      for (const batch of planBatches(partition, ids)) {
        const result = await reconcile(
          {
            owner: { collection: 'memory', source: spec.source },
            table: spec.table,
            range: { after: BigInt(batch.after), upTo: BigInt(batch.upTo) },
            pointsUpTo: BigInt(batch.pointsUpTo),
            chunking: spec.chunking,
            model: spec.collection,
            bm25: spec.collection.bm25,
            jobId: '00000000-0000-4000-8000-000000000000',
            prune,
          },
          this,
          quietAttempt(),
        );
        for (const name of Object.keys(sum) as (keyof typeof sum)[]) {
          sum[name] += name === 'failed' ? result.failed.length : result[name];
        }
      }
    }
    return sum;
  }

  async plan(prune: boolean, limit: number | null = null) {
    const before = structuredClone([...this.target.points]);
    const requests = this.embedder.requests.length;
    const question = { specification: specification(prune, limit), isExact: true, usdPerMillionTokens: 1 };
    const report = await plan(this, question, quietAttempt());
    assert.deepEqual([...this.target.points], before, 'a plan writes nothing');
    assert.equal(this.embedder.requests.length, requests, 'and pays nothing');
    return report;
  }

  /** Plans, runs, and compares what was said with what was done. */
  async planThenRun(prune: boolean, limit: number | null = null) {
    const report = await this.plan(prune, limit);
    const result = await this.run(prune, limit);
    assert.deepEqual(
      {
        records: report.size.records,
        written: report.difference?.changed,
        unchanged: report.difference?.unchanged,
        skipped: report.skipped,
        failed: report.refused,
        orphans: report.difference?.orphans,
        pointsWritten: report.difference?.pointsWritten,
        pointsDeleted: report.difference?.pointsDeleted,
        inputs: report.inputs,
      },
      result,
    );
    return report;
  }
}

/** Words that no other text has, so that nothing is merged. */
let word = 0;
const fresh = (count: number): string =>
  Array.from({ length: count }, () => `w${(word++).toString(36)}.`).join(' ');

const change = fc.record({
  id: fc.bigInt({ min: 1n, max: 15n }),
  kind: fc.constantFrom('new', 'append', 'shrink', 'tenant', 'empty', 'gone', 'refused'),
  words: fc.integer({ min: 1, max: 40 }),
});

test('whatever was edited, deleted or cut short: the plan is what the run then does, to the unit', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(
          fc.array(change, { maxLength: 8 }),
          fc.boolean(),
          fc.option(fc.integer({ min: 1, max: 12 })),
        ),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
      fc.option(fc.nat({ max: 30 })),
      async (rounds, cut) => {
        const world = new World();
        for (const [edits, prune, limit] of rounds) {
          for (const { id, kind, words } of edits) {
            const content = world.source.rows.get(id)?.content ?? '';
            if (kind === 'gone') world.source.rows.delete(id);
            else if (kind === 'new') world.source.set(id, fresh(words));
            else if (kind === 'append') world.source.set(id, `${content} ${fresh(words)}`.trim());
            else if (kind === 'shrink') world.source.set(id, content.slice(0, content.length / 2));
            else if (kind === 'empty') world.source.set(id, words % 2 === 0 ? null : ' \n');
            else if (kind === 'tenant') world.source.set(id, content, `tenant-${words}`);
            else
              world.source.rows.set(id, {
                id,
                tenant: null,
                content: null,
                refused: 'content_invalid',
                copied: {},
              });
          }
          if (cut !== null) {
            // A run that was killed left some records half done.
            let left = cut;
            world.target.interrupt = () => {
              if (left-- === 0) throw new Error('killed');
            };
            await world.run(prune).catch((error: unknown) => assert.match(String(error), /killed/));
            world.target.interrupt = () => undefined;
          }
          await world.planThenRun(prune, limit);
          const again = await world.planThenRun(prune, limit);
          assert.deepEqual([again.inputs, again.tokens, again.difference?.changed], [0, 0, 0]);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('without a collection everything would be written, and nothing is looked for', async () => {
  const world = new World();
  world.target.examined = { collection: null };
  world.target.scan = () => Promise.reject(new Error('there is no collection'));
  for (let id = 1n; id <= 7n; id++) world.source.set(id, fresh(20));
  const report = await world.plan(true);
  assert.deepEqual([report.difference?.changed, report.difference?.orphans], [7, 0]);
  assert.equal(report.difference?.pointsWritten, report.parents + report.children);
  assert.equal(report.inputs, report.children);
});

test('all points of the table are counted, also those that stay', async () => {
  const world = new World();
  for (let id = 1n; id <= 9n; id++) world.source.set(id, fresh(10 + Number(id)));
  await world.run(false);
  world.source.set(4n, fresh(30));
  const report = await world.plan(false);
  await world.run(false);
  const types = [...world.target.points.values()].map(({ point }) => point.type);
  assert.equal(report.parents, types.filter((type) => type === 'parent').length);
  assert.equal(report.children, types.filter((type) => type === 'child').length);
});

test('a text that another record of the page has already is not paid: the plan says so, and so it is', async () => {
  const world = new World();
  const shared = fresh(40);
  world.source.set(1n, shared);
  await world.run(false);
  // The first one's children move on by an insertion, so it is written too, and the second one has them all.
  world.source.set(1n, `${fresh(8)}\n\n${shared}`);
  world.source.set(2n, shared);
  const { inputs, children } = await world.planThenRun(false);
  assert.ok(inputs < children / 2, `${inputs} of ${children}`);
});

test('sums of dry runs add every count', async () => {
  const world = new World();
  world.source.set(1n, fresh(20));
  const { table, chunking, source } = specification(false);
  const one = await dryRun(
    {
      owner: { collection: 'memory', source },
      table,
      range: ALL_IDS,
      pointsUpTo: ALL_IDS.upTo,
      chunking,
      model: { model: 'm', dimensions: 1 },
      prune: false,
    },
    world,
    quietAttempt(),
  );
  assert.deepEqual(addDryRuns(EMPTY_DRY_RUN, one), one);
  for (const [name, value] of Object.entries(addDryRuns(one, one))) {
    assert.equal(value, 2 * one[name as keyof typeof one], name);
  }
});
