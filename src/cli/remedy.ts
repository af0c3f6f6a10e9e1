import type { FaultCode, FAULTS } from '../errors.ts';
import { jobArgument } from './job-argument.ts';

type HaltingCode = {
  [Code in FaultCode]: (typeof FAULTS)[Code]['kind'] extends 'halting' ? Code : never;
}[FaultCode];

/** Where that is mended which halted a job: in a service, in the settings of the workers, or in those of the job. */
type Place = 'service' | 'workers' | 'job';

const PLACES: Readonly<Record<HaltingCode, readonly Place[]>> = {
  source_access_denied: ['workers'],
  source_table_missing: ['service', 'job'],
  source_misconfigured: ['workers', 'job'],
  embedding_access_denied: ['workers'],
  embedding_model_missing: ['workers', 'job'],
  embedding_quota_exhausted: ['service'],
  embedding_refuses_everything: ['workers', 'job'],
  embedding_wrong_dimensions: ['job'],
  target_access_denied: ['workers'],
  target_collection_missing: ['service', 'job'],
  target_incompatible: ['job'],
  target_refused: ['workers', 'job'],
  target_storage_full: ['service'],
  ledger_access_denied: ['workers'],
  ledger_schema_missing: ['service'],
  patience_exhausted: ['service'],
};

/**
 * How a job that a fault has halted goes on.
 *
 * @param code the fault's; one that is not known here may come from workers of a newer release
 */
export function remedy(code: string, name: string): string {
  const places = (PLACES as Readonly<Record<string, readonly Place[]>>)[code] ?? ['service'];
  const again = `\`ferry cancel ${jobArgument(name)}\`, correct the settings, and \`ferry start\`: a job keeps those it was started with`;
  if (!places.includes('job')) return `${resume(places, name)}.`;
  if (places.length === 1) return `${again}.`;
  return `${resume(places, name)}; or, to change what the job is to do, ${again}.`;
}

function resume(places: readonly Place[], name: string): string {
  return places.includes('workers')
    ? `correct the settings of the workers, restart them, then \`ferry resume ${jobArgument(name)}\``
    : `mend that, then \`ferry resume ${jobArgument(name)}\``;
}
