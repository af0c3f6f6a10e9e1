/**
 * Asks a server of the stack once whether it is well.
 *
 * @throws Error with the status or the reason when it is not
 */
export async function answersOk(url: string, headers: Record<string, string> = {}): Promise<void> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(5_000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answers ${response.status} ${text.slice(0, 200)}`);
}
