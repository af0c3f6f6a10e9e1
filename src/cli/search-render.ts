import pc from 'picocolors';
import type { Hit, SearchReport } from '../job/inquiry.ts';
import { excerpt } from './terminal-width.ts';

const EXCERPT_COLUMNS = 200;

/** What a search has found, two lines a hit. */
export function hitList({ collection, hits }: SearchReport): string {
  if (hits.length === 0) return `Nothing found in ${collection}.`;
  return hits
    .map((hit, at) => {
      const facts = [
        pc.bold(hit.score.toFixed(3)),
        `record ${hit.recordId}`,
        ...tenantOf(hit),
        positionOf(hit),
        ...copiedOf(hit),
      ];
      return `${`${at + 1}.`.padEnd(4)}${facts.join('  ')}\n    ${excerpt(hit.text, EXCERPT_COLUMNS)}`;
    })
    .join('\n');
}

/** A table without tenants need not say so with each hit. */
function tenantOf({ tenant }: Hit): string[] {
  return tenant === null ? [] : [`tenant ${excerpt(tenant, 60)}`];
}

/** What a record has none of is left out; a worker of an older release sends none at all. */
function copiedOf({ copied }: { readonly copied?: Hit['copied'] }): string[] {
  return Object.entries(copied ?? {}).flatMap(([column, value]) =>
    value === null ? [] : [`${column} ${excerpt(JSON.stringify(value), 60)}`],
  );
}

/** Ordinals as people see them elsewhere: from 0. */
function positionOf({ parentIndex, chunkIndex, children }: Hit): string {
  if (chunkIndex !== null) return `parent ${parentIndex}, child ${chunkIndex}`;
  return `parent ${parentIndex}, found by child ${children.map((child) => child.chunkIndex).join(', ')}`;
}
