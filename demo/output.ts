import pc from 'picocolors';

let stepCount = 0;

/** Heading of the next numbered step. */
export function step(title: string): void {
  stepCount += 1;
  say(`\n${pc.bold(`${stepCount}  ${title}`)}`);
}

/** A line of the demo's story, to standard output; indented below its step. */
export function tell(text: string): void {
  for (const line of text.split('\n')) say(line === '' ? '' : `   ${line}`);
}

/** A line to standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** What goes on meanwhile, to standard error. */
export function mention(line: string): void {
  process.stderr.write(`   ${pc.dim(line)}\n`);
}

/** `12 s` */
export function since(beginMs: number): string {
  return `${Math.round((Date.now() - beginMs) / 1_000)} s`;
}

/** `12,345` */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Rows as columns of equal width; numbers stand right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? count(cell) : cell)));
  const widths = header.map((title, column) =>
    Math.max(title.length, ...texts.map((row) => row[column]?.length ?? 0)),
  );
  const isNumeric = header.map((_, column) => rows.some((row) => typeof row[column] === 'number'));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        isNumeric[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [pc.dim(line(header)), ...texts.map(line)].join('\n');
}
