/** A line on a terminal's standard error that each next one overwrites; nothing is written where there is no terminal. */
export class LiveLine {
  readonly isLive: boolean;
  #isShown = false;

  /** @param isWanted false keeps it silent on a terminal too */
  constructor(isWanted = true) {
    this.isLive = isWanted && process.stderr.isTTY;
  }

  /** Columns that a line may take: Infinity where it is not overwritten. */
  get columns(): number {
    return this.isLive ? terminalColumns() - 1 : Infinity;
  }

  show(line: string): void {
    if (!this.isLive) return;
    process.stderr.write(`\r\x1b[2K${fitted(line)}`);
    this.#isShown = true;
  }

  /** Makes room for an ordinary line. */
  clear(): void {
    if (this.#isShown) process.stderr.write('\r\x1b[2K');
    this.#isShown = false;
  }

  /** Leaves the line where it is and makes room below it. */
  end(): void {
    if (this.#isShown) process.stderr.write('\n');
    this.#isShown = false;
  }
}

/** Cut to the terminal's width: a line that wraps could not be overwritten. */
function fitted(line: string): string {
  const width = terminalColumns();
  const visible = line.replace(/\x1b\[\d+m/g, '');
  return visible.length < width ? line : visible.slice(0, width - 2) + '…';
}

function terminalColumns(): number {
  // A terminal of unknown size says 0.
  return process.stderr.columns || 80;
}
