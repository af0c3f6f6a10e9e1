import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planText } from '../../src/cli/plan-render.ts';
import type { PlanReport } from '../../src/job/inquiry.ts';
import { fakeSpecification } from '../support/specification.ts';

const REPORT: PlanReport = {
  isExact: false,
  size: { partitions: 12, batches: 120, records: 6_000 },
  sampled: 1_000,
  skipped: 3,
  refused: 0,
  difference: null,
  ownPoints: 0,
  parents: 6_000,
  children: 24_000,
  inputs: 24_000,
  tokens: 3_000_000,
  costUsd: 0.06,
  storage: { diskBytes: 2 ** 30, memoryBytes: 2 ** 28 },
  pace: null,
  recommendedBatchSize: 50,
};

const textOf = (changes: Partial<PlanReport>): string =>
  planText('docs', { ...REPORT, ...changes }, fakeSpecification({ batchSize: 50 }));

describe('what people see of a plan', () => {
  it('costs are "at most": equal texts are embedded once', () => {
    const text = textOf({});
    assert.match(text, /embed +at most about 24 thousand texts, .* tokens; equal texts .* embedded once/u);
    assert.match(text, /cost +at most about 0\.06 USD/u);
    assert.match(text, /estimated from 1,000 records, as if the target were empty; --exact compares/u);
  });

  it('says what the collection already holds, and where to learn what is left', () => {
    assert.match(
      textOf({ ownPoints: 30_000 }),
      /basis .*as if the target were empty, which it is not: it holds 30,000 points.*"at most".*--exact counts what is left/u,
    );
    assert.match(textOf({ ownPoints: null }), /as if the target were empty; --exact/u);
    // As a worker of an older release answers.
    const older = { ...REPORT, ownPoints: undefined } as unknown as PlanReport;
    assert.match(planText('docs', older, fakeSpecification()), /as if the target were empty; --exact/u);
  });

  it('an exact plan that finds nothing to do costs nothing', () => {
    const difference = { changed: 0, unchanged: 6_000, pointsWritten: 0, pointsDeleted: 0, orphans: 0 };
    const text = textOf({ isExact: true, difference, ownPoints: null, inputs: 0, tokens: 0, costUsd: 0 });
    assert.match(text, /basis +every record was read and compared/u);
    assert.match(text, /embed +nothing\n +cost +0 USD/u);
  });

  it('gives no time where no limit is known, whether the service was asked or not', () => {
    assert.match(textOf({}), /pace +no time: neither OPENAI_RPM and OPENAI_TPM nor the service's headers/u);
    const pace = { requestsPerMinute: 500, tokensPerMinute: null, requests: 12, seconds: 90 };
    assert.match(textOf({ pace }), /pace +12 requests; at 500 requests a minute at least/u);
  });

  it('counts one as one', () => {
    const text = textOf({
      isExact: true,
      size: { partitions: 1, batches: 1, records: 1 },
      difference: { changed: 1, unchanged: 1, pointsWritten: 1, pointsDeleted: 0, orphans: 1 },
      parents: 1,
      children: 1,
      inputs: 1,
      tokens: 1,
      pace: { requestsPerMinute: 1, tokensPerMinute: 1, requests: 1, seconds: 60 },
    });
    assert.match(text, /1 in 1 batch of 50, 1 partition;/u);
    assert.match(text, /1 record to write, 1 needs nothing\n.*1 point written.*\n.*1 record id has points/u);
    assert.match(text, /1 parent and 1 child when.*\n.*at most 1 text, 1 token;/u);
    assert.match(text, /1 request; at 1 request and 1 token a minute/u);
  });
});
