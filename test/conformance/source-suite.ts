import { CONTENT_CHECKS } from './source-content.ts';
import { EXAMINE_CHECKS } from './source-examine.ts';
import { ID_CHECKS } from './source-ids.ts';
import { PAGE_CHECKS } from './source-pages.ts';
import type { SourceCheck } from './source-bench.ts';

/** What the product relies on in every {@link Source}; each check makes its own tables. */
export const SOURCE_CHECKS: readonly SourceCheck[] = [
  ...ID_CHECKS,
  ...PAGE_CHECKS,
  ...CONTENT_CHECKS,
  ...EXAMINE_CHECKS,
];
