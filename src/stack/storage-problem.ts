import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** Below this even a small service cannot write its files. */
const tooLittleBytes = 32 * 1024 ** 2;

const full = /ENOSPC|EDQUOT|no space left on device|disk is full|disk full|errno:? "?28\b/i;
const closed = /\b(?:EACCES|EPERM|EROFS|ENOTDIR)\b/;

/**
 * The sentence for an error that a full disk or a folder without write access has caused, or undefined when the error is
 * of another kind. Servers report both in their own words, and one whose log cannot be written says nothing at all, so
 * the disk itself is asked too.
 *
 * @param dir the stack's folder
 * @param freeBytes what is free on the disk of a folder; a parameter for tests
 */
export function storageProblem(error: unknown, dir: string, freeBytes = freeBytesOf): string | undefined {
  const text = textOf(error);
  const free = freeBytes(dir);
  if (full.test(text) || (free !== undefined && free < tooLittleBytes)) {
    const amount =
      free === undefined ? '' : `: ${Math.floor(free / 1024 ** 2)} MiB are free on that of ${dir}`;
    return (
      `a disk is full${amount}; make room and run \`ferry stack up\` again, or choose another folder with ` +
      'FERRY_STACK_DIR (data of the stack), XDG_CACHE_HOME (installed programs) or TMPDIR (while installing)'
    );
  }
  if (codeOf(error) !== undefined && closed.test(codeOf(error) ?? '')) {
    const path = pathOf(error) ?? dir;
    return (
      `${path} cannot be written (${codeOf(error)}); give your user write access, or choose another folder with ` +
      'FERRY_STACK_DIR (data of the stack) or XDG_CACHE_HOME (installed programs)'
    );
  }
  return undefined;
}

function freeBytesOf(dir: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(nearest(dir));
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/** The folder itself, or the nearest above it that exists. */
function nearest(dir: string): string {
  return existsSync(dir) || dirname(dir) === dir ? dir : nearest(dirname(dir));
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const rest = error instanceof AggregateError ? error.errors.map(textOf) : [];
  return [error.message, codeOf(error), ...rest, error.cause === undefined ? '' : textOf(error.cause)].join(
    '\n',
  );
}

/** Of the error or of what caused it. */
function codeOf(error: unknown): string | undefined {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  return typeof code === 'string' ? code : cause instanceof Error ? codeOf(cause) : undefined;
}

function pathOf(error: unknown): string | undefined {
  const { path, cause } = (error ?? {}) as { path?: unknown; cause?: unknown };
  return typeof path === 'string' ? path : cause instanceof Error ? pathOf(cause) : undefined;
}
