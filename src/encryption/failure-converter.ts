import { DefaultFailureConverter } from '@temporalio/common';

/*
 * Also part of the workflows' bundle for workers that encrypt: a failure crosses from there too. So this module imports
 * nothing but what may run in the sandbox.
 */

/** Puts messages and stack traces of failures into a payload, so that they are encrypted as all else is. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
