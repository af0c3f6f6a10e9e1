import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { startMigration } from '../../src/client/start.ts';
import { InputError } from '../../src/errors.ts';
import { migrationWorkflowId } from '../../src/job/job.ts';
import { createServices, type Services } from '../../src/services.ts';
import { collectionSettings } from '../../src/target/settings.ts';
import { NO_IDS, job } from '../conformance/ledger-updates.ts';
import { hostileName } from '../support/hostile-name.ts';
import { fakeSpecification } from '../support/specification.ts';
import { testStack } from '../support/stack.ts';
import { temporalLab } from '../support/temporal.ts';

// Names of collections and jobs by malice, in requests to Qdrant, on the real Temporal and in the real ledger.

const signal = AbortSignal.timeout(600_000);
const RUNS = 60;

let services: Services;
before(() => {
  const values = testStack().environment() as Record<string, string>;
  services = createServices({ values, warnings: [], isStack: false }, 'test');
});
after(() => services?.close());

describe('names of collections', () => {
  const accepted = hostileName.filter(
    (name) => collectionSettings.safeParse({ QDRANT_COLLECTION_NAME: name }).success,
  );

  test('reach Qdrant as one part of the path, unchanged', async () => {
    const paths: string[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url ?? '');
      request.resume();
      response
        .writeHead(404, { 'content-type': 'application/json' })
        .end('{"status":{"error":"no collection"}}');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const values = {
      ...(testStack().environment() as Record<string, string>),
      QDRANT_URL: `http://127.0.0.1:${port}`,
    };
    const asked = createServices({ values, warnings: [], isStack: false }, 'test');
    try {
      await fc.assert(
        fc.asyncProperty(accepted, async (name) => {
          paths.length = 0;
          await asked.target
            .texts(name, ['00000000-0000-4000-8000-000000000000'], signal)
            .catch(() => undefined);
          assert.ok(paths.length > 0, 'nothing was asked');
          for (const path of paths) {
            const [, first, part = '', ...rest] = path.split('?')[0]?.split('/') ?? [];
            assert.deepEqual([first, decodeURIComponent(part)], ['collections', name], path);
            assert.deepEqual(rest, ['points'], path);
          }
        }),
        { numRuns: RUNS, examples: [['%2e%2e'], ['..%2F..'], ['a%2Fb'], ['...'], ['名 前'], ['&a=b,c;d']] },
      );
    } finally {
      await asked.close();
      server.close();
      server.closeAllConnections();
    }
  });

  test('that would lead elsewhere are refused', () => {
    for (const name of [
      '',
      '.',
      '..',
      '/',
      'a/b',
      '../x',
      'a\\b',
      'a?b',
      'a\0b',
      ' a',
      'a ',
      'a:b',
      '*',
      'x'.repeat(241),
    ]) {
      assert.equal(collectionSettings.safeParse({ QDRANT_COLLECTION_NAME: name }).success, false, name);
    }
  });
});

describe('names of jobs', () => {
  test('are one workflow each, or are refused', async () => {
    const lab = await temporalLab();
    try {
      const tried = new Set<string>();
      await fc.assert(
        fc.asyncProperty(hostileName, async (name) => {
          if (tried.has(name)) return;
          tried.add(name);
          try {
            await startMigration(lab.client, { name, specification: fakeSpecification() }, {});
          } catch (error) {
            assert.ok(error instanceof InputError, String(error));
            return;
          }
          // A slash would make it a partition or batch of another job.
          assert.ok(!name.includes('/') && !/\p{Cc}/u.test(name), name);
          const { workflowId } = await lab.client.workflow.getHandle(migrationWorkflowId(name)).describe();
          assert.equal(workflowId, `migration-${name}`);
        }),
        { numRuns: RUNS / 2 },
      );
    } finally {
      await lab.close();
    }
  });

  test('find their own rows in the ledger and no others', async () => {
    const ledger = services.ledger;
    assert.ok(ledger !== null);
    const suffix = `-${process.pid}-${Date.now()}`;
    const names = new Map<string, string>();
    await fc.assert(
      fc.asyncProperty(hostileName, async (start) => {
        // PostgreSQL has no NUL, and no job has one either.
        const name = `${start.replaceAll('\0', '')}${suffix}`;
        const header = job(name);
        await ledger.apply({ job: header, state: null, batches: [] }, NO_IDS, signal);
        if (!names.has(name)) names.set(name, header.id);
        const found = await ledger.jobs({ name, limit: 1_000 }, signal);
        assert.ok(found.length > 0 && found.every((one) => one.name === name), name);
        assert.equal(await ledger.lastFailure(name, '1', signal), null);
      }),
      { numRuns: RUNS / 2, examples: [['eq.x'], ['in.(a,b)'], ['*'], ['a&select=*'], ['"a",b)']] },
    );
  });
});
