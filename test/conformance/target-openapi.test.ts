import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Front, startFront, stopFront } from '../support/qdrant-front.ts';
import { answersOf } from './target-openapi-calls.ts';
import { type Answer, deviations } from './target-openapi-types.ts';

const ROUTES = join(import.meta.dirname, '../../src/stack/qdrant-front/qdrant_front/routes.py');
/** Ours, or plain text. */
const WITHOUT_TYPES = /^\w+ \/(front\/|healthz|livez|readyz)/;

type Json = Record<string, unknown>;

/** The routes that the front serves, as OpenAPI spells them. */
function servedRoutes(): string[] {
  return [...readFileSync(ROUTES, 'utf8').matchAll(/^ {4}"([A-Z]+ \/[^"]*)": /gm)]
    .map(([, route]) => route!.replace('{name}', '{collection_name}').replace('{field}', '{field_name}'))
    .filter((route) => !WITHOUT_TYPES.test(route));
}

describe("answers of the front, against the client's own types", () => {
  let dir: string;
  let front: Front;
  let answers: Answer[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ferry-openapi-front-'));
    front = await startFront(dir);
    answers = await answersOf(front.url);
  });
  after(async () => {
    await stopFront(front);
    await rm(dir, { recursive: true, force: true });
  });

  it('are there for every route that it serves', () => {
    const called = new Set(answers.map(({ method, route }) => `${method} ${route}`));
    const served = servedRoutes();
    assert.ok(served.length > 25, 'the table of routes was found');
    assert.deepEqual(
      served.filter((route) => !called.has(route)),
      [],
    );
  });

  it('have every key that Qdrant has to send, and none that it does not know', () => {
    assert.deepEqual(deviations(answers), []);
  });

  it('would be found out', () => {
    /** The first answer of a route, changed. */
    const planted = (method: string, route: string, change: (body: Json) => void): Answer => {
      const answer = answers.find((one) => one.method === method && one.route === route);
      assert.ok(answer, route);
      const body = JSON.parse(answer.text) as Json;
      change(body);
      return { ...answer, text: JSON.stringify(body) };
    };
    const collection = '/collections/{collection_name}';
    const result = (body: Json) => body.result as Json;
    const found = deviations([
      planted('GET', collection, (body) => (result(body).surprise = 1)),
      planted('GET', collection, (body) => ((result(body).update_queue as Json).surprise = 1)),
      planted('GET', collection, (body) => delete result(body).segments_count),
      planted('GET', collection, (body) => {
        const { optimizer_config } = result(body).config as Record<string, Json>;
        optimizer_config!.flush_interval = 1;
      }),
      planted('GET', '/telemetry', (body) => ((result(body).app as Json).ram_size = 1)),
      planted(
        'POST',
        `${collection}/points/scroll`,
        (body) => ((result(body).points as Json[])[0]!.score = 1),
      ),
      planted('POST', `${collection}/points/count`, (body) => delete body.time),
      planted('PUT', `${collection}/points`, (body) => (result(body).status = 'done')),
      planted('GET', '/', (body) => (body.build = 'x')),
    ]);
    const expected = [
      /^GET \/collections\/\{collection_name\}: .*"surprise"' does not exist/,
      /^GET \/collections\/\{collection_name\}: .*"surprise"' does not exist/,
      /^GET \/collections\/\{collection_name\}: .*'segments_count' is missing/,
      /^GET \/collections\/\{collection_name\}: .*"flush_interval"' does not exist/,
      /^GET \/telemetry: .*"ram_size"' does not exist/,
      /^POST .*\/points\/scroll: .*"score"' does not exist/,
      /^POST .*\/points\/count: .*'time' is missing/,
      /^PUT .*\/points: .*"done"/,
      /^GET \/: .*"build"' does not exist/,
    ];
    assert.equal(found.length, expected.length, found.join('\n'));
    expected.forEach((sentence, index) => assert.match(found[index]!, sentence));
  });
});
