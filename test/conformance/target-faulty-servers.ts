import type { ProxiedRequest, Tampering } from './target-proxy.ts';

/** A server that takes one behaviour away, and the check of the suite that notices. */
interface FaultyServer {
  readonly tampering: () => Tampering;
  readonly caughtBy: string;
}

type Body = Record<string, unknown>;

/** Changes the JSON body of the requests whose path ends so. */
function changing(ending: string, change: (body: Body) => Body): Tampering['request'] {
  return ({ path, body }) =>
    path.split('?')[0]!.endsWith(ending) ? JSON.stringify(change(JSON.parse(body) as Body)) : body;
}

function without(key: string): (body: Body) => Body {
  return (body) => Object.fromEntries(Object.entries(body).filter(([name]) => name !== key));
}

const isWrite = ({ path }: ProxiedRequest) => /\/points\/(batch|delete)\?/.test(path);

const COMPLETED = { operation_id: 0, status: 'completed' };

function envelope(result: unknown): string {
  return JSON.stringify({ result, status: 'ok', time: 0 });
}

/** As many results as a batch has operations, or the one of a deletion. */
function completed({ path, body }: ProxiedRequest): string {
  const { operations } = JSON.parse(body) as { operations?: unknown[] };
  return envelope(path.includes('/batch') ? (operations ?? []).map(() => COMPLETED) : COMPLETED);
}

/** Says that a write is done, and does it only after the next read was answered. */
function writesLate(): Tampering {
  const held: ProxiedRequest[] = [];
  return {
    request: (request) => {
      if (!isWrite(request)) return request.body;
      held.push(request);
      return null;
    },
    answer: (request, reply) => reply ?? completed(request),
    afterwards: async (request, send) => {
      if (isWrite(request)) return;
      for (const write of held.splice(0)) await send(write);
    },
  };
}

/** Loses the last operation of each batch that has several, and answers as if all were done. */
function losesOperations(): Tampering {
  return {
    request: changing('/points/batch', ({ operations }) => ({
      operations: (operations as unknown[]).slice(0, Math.max(1, (operations as unknown[]).length - 1)),
    })),
    answer: (request, reply) => (request.path.includes('/points/batch') ? completed(request) : reply!),
  };
}

export const FAULTY_SERVERS: Readonly<Record<string, FaultyServer>> = {
  'rounds large integers in its answers': {
    tampering: () => ({ answer: (_request, reply) => JSON.stringify(JSON.parse(reply!)) }),
    caughtBy: 'scan: finds exactly the ids of a range, also where doubles cannot tell them apart',
  },
  'forgets is_tenant': {
    tampering: () => ({
      request: changing('/index', (body) => ({
        ...body,
        field_schema: without('is_tenant')(body.field_schema as Body),
      })),
    }),
    caughtBy: 'prepare: keeps the points of a tenant together, also when it is repeated',
  },
  'replaces the whole payload instead of setting keys': {
    tampering: () => ({
      request: ({ path, body }) =>
        path.includes('/points/batch') ? body.replaceAll('"set_payload"', '"overwrite_payload"') : body,
    }),
    caughtBy: 'write: replaces points without touching collection_ids or keys of others',
  },
  'ignores the filter of a scroll': {
    tampering: () => ({ request: changing('/points/scroll', without('filter')) }),
    caughtBy: 'scan: finds the points of its owner only',
  },
  'acknowledges deletions without doing them': {
    tampering: () => ({
      request: ({ path, body }) => (path.includes('/points/delete') ? null : body),
      answer: (request, reply) => reply ?? completed(request),
    }),
    caughtBy: 'delete: removes the points named and no others',
  },
  'acknowledges writes before it does them': {
    tampering: writesLate,
    caughtBy: 'write: what is acknowledged can be read at once',
  },
  'loses operations of a batch': {
    tampering: losesOperations,
    caughtBy: 'write: applies mixed changes in order, in more than one request',
  },
  'makes words with another tokenizer': {
    tampering: () => ({
      request: ({ path, body }) =>
        path.includes('/points/')
          ? body.replaceAll('"tokenizer":"multilingual"', '"tokenizer":"word"')
          : body,
    }),
    caughtBy: 'search: finds words inside of Chinese sentences',
  },
  'does not look up parents': {
    tampering: () => ({ request: changing('/points/query/groups', without('with_lookup')) }),
    caughtBy: 'search for parents: gives parents with their text and best children, best first',
  },
  'searches all tenants': {
    tampering: () => ({
      request: ({ path, body }) =>
        path.includes('/points/query') ? body.replaceAll(/,\{"key":"member_code"[^}]*\}\}/g, '') : body,
    }),
    caughtBy: 'search: keeps to one tenant',
  },
  'counts without the filter': {
    tampering: () => ({ request: changing('/points/count', without('filter')) }),
    caughtBy: 'examine: looks behind an alias, counts points by owner, and changes nothing',
  },
  'hides its strict mode': {
    tampering: () => ({
      answer: ({ path }, reply) =>
        /^\/collections\/[^/]+$/.test(path)
          ? reply!.replace('"strict_mode_config":{"enabled":true', '"strict_mode_config":{"enabled":false')
          : reply!,
    }),
    caughtBy: 'examine: lists the limits of strict mode, those first that are too low',
  },
};
