import { Fault } from '../errors.ts';

/** Somebody waits for the answer: a service that is out is reported after this long, not waited for. */
export const INQUIRY_PATIENCE_MS = 20_000;

/** The fault of the service that stayed out, which says more to the one who asks than that patience has ended. */
export function asReported(error: unknown): unknown {
  const isOver = error instanceof Fault && error.code === 'patience_exhausted';
  return isOver && error.cause instanceof Fault ? error.cause : error;
}
