import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { placesOf } from '../../src/cli/places.ts';

const VALUES = {
  MYSQL_HOST: 'db.example',
  MYSQL_USER: 'reader',
  MYSQL_PASSWORD: 'canary-password',
  MYSQL_DATABASE: 'crm',
  MYSQL_TABLE: 'memo',
  QDRANT_URL: 'https://vectors.example',
  QDRANT_API_KEY: 'canary-key',
  OPENAI_API_KEY: 'canary-key',
};
const placesWith = (changes: Partial<typeof VALUES>): string | null =>
  placesOf({ values: { ...VALUES, ...changes }, warnings: [], isStack: false });

describe('the servers of a command without Temporal', () => {
  it('are named with table, collection and ports, and without secrets', () => {
    const places = placesWith({}) ?? '';
    assert.equal(places, 'table crm.memo on db.example:3306, collection memos on vectors.example:6333');
    assert.match(placesWith({ QDRANT_URL: 'https://v.example:443/q' }) ?? '', /on v\.example:443$/u);
    assert.match(placesWith({ MYSQL_HOST: '::1' }) ?? '', /on \[::1\]:3306,/u);
    assert.doesNotMatch(placesWith({ MYSQL_HOST: 'reader:canary@db.example' }) ?? '', /canary|reader/u);
  });

  it('are left to the command where settings are malformed', () => {
    assert.equal(placesWith({ QDRANT_URL: 'vectors.example' }), null);
  });
});
