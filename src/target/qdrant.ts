import { prepare } from './collection.ts';
import { connect } from './connection.ts';
import { examine } from './examine.ts';
import { find } from './find.ts';
import { record } from './record.ts';
import { scan, texts, vectors } from './scan.ts';
import { search, searchParents } from './search.ts';
import type { TargetSettings } from './settings.ts';
import type { Target } from './target.ts';
import { deletePoints, write } from './write.ts';

/** A {@link Target} in Qdrant 1.16 or later. It connects with the first call and holds nothing that must be closed. */
export function createQdrantTarget(settings: TargetSettings): Target {
  const send = connect(settings);
  return {
    prepare: (spec, signal) => prepare(send, spec, signal),
    scan: (owner, range, copiedColumns, cursor, signal) =>
      scan(send, owner, range, copiedColumns, cursor, signal),
    texts: (collection, pointIds, signal) => texts(send, collection, pointIds, signal),
    vectors: (collection, pointIds, signal) => vectors(send, collection, pointIds, signal),
    write: (owner, jobId, bm25, writes, signal, beforeRequest) =>
      write(send, owner, jobId, bm25, writes, signal, beforeRequest),
    delete: (collection, points, signal, beforeRequest) =>
      deletePoints(send, collection, points, signal, beforeRequest),
    search: (owner, query, signal) => search(send, owner, query, signal),
    searchParents: (owner, query, signal) => searchParents(send, owner, query, signal),
    record: (owner, recordId, copiedColumns, signal) => record(send, owner, recordId, copiedColumns, signal),
    find: (spec, signal) => find(send, spec, signal),
    examine: (spec, source, signal) => examine(send, spec, source, signal),
  };
}
