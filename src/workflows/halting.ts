import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import { FAULTS, isFaultCode, type FaultCode } from '../errors.ts';

/** The halting fault that an activity failed with (its message names settings and differences), or null. */
export function haltingFault(error: unknown): { code: FaultCode; message: string } | null {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) return null;
  const { type, message } = error.cause;
  return isFaultCode(type) && FAULTS[type].kind === 'halting' ? { code: type, message } : null;
}
