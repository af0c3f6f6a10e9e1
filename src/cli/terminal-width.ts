/** Characters that take two columns of a terminal: Chinese, Japanese, Korean, emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
/** Characters that take none: marks on the letter before, joiners, variation selectors. */
const NONE = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Columns of a terminal that a text takes, as well as that can be said. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

function columnsOf(character: string): number {
  if (NONE.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** The beginning of a text on one line of at most so many columns; control characters become spaces. */
export function excerpt(text: string, columns: number): string {
  let width = 0;
  let line = '';
  // Text of a row must not steer the terminal.
  for (const character of text.replace(/[\s\p{Cc}]+/gu, ' ').trim()) {
    width += columnsOf(character);
    if (width > columns) return `${line.trimEnd()}…`;
    line += character;
  }
  return line;
}

/** Rows as columns of equal width; numbers stand right. */
export function aligned(rows: readonly (readonly (string | number)[])[]): string[] {
  const cells = rows.map((row) => row.map((cell) => String(cell)));
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => widthOf(row[column] ?? ''))),
  );
  return cells.map((row, at) =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat((widths[column] ?? 0) - widthOf(cell));
        return typeof rows[at]?.[column] === 'number' ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd(),
  );
}
