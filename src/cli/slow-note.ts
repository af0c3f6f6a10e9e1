import pc from 'picocolors';

/** After this long people wonder whether anything happens. */
const PATIENCE_MS = 3_000;

/** What an estimate and a preflight do. */
export const SAMPLING = 'reading a sample of the rows …';
/** What an exact plan does. */
export const COMPARING = 'comparing every row with the target …';

/**
 * Waits for an answer, and says on a terminal what is done meanwhile if it takes more than three seconds.
 *
 * @param doing one line, such as {@link SAMPLING}
 */
export async function tellIfSlow<T>(
  answer: Promise<T>,
  doing: string,
  { json = false }: { readonly json?: boolean | undefined },
): Promise<T> {
  if (json || !process.stderr.isTTY) return answer;
  const timer = setTimeout(() => console.error(pc.dim(doing)), PATIENCE_MS);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
  }
}
