import { readFileSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';

import { CHINESE, EMOJI, JAPANESE, THAI } from './multilingual.ts';

/** A row of the demo's table. */
export interface CorpusRow {
  readonly id: bigint;
  /** The tenant: the npm package that the text comes from. */
  readonly member_code: string;
  readonly parse_content: string | null;
}

interface Text {
  readonly member: string;
  readonly text: string | null;
}

interface SourceFile {
  readonly path: string;
  readonly member: string;
}

const NODE_MODULES = join(import.meta.dirname, '../node_modules');
const FIRST_ID = 1_745_000_000_000_002_683n;
/** Lengths in characters that the pieces of long files aim at, in turn. */
const PIECE_LENGTHS = [1_200, 3_200, 2_000, 4_800, 900, 2_600, 3_800, 1_500];
/** A document up to this length stays in one piece. */
const WHOLE_DOCUMENT = 6_000;
const SHORTEST_PIECE = 300;
const SHORTEST_COMMENT = 60;
const HUGE_ROW = 1_060_000;
/** Its comments are generated and alike: they make the huge row and nothing else. */
const HUGE_SOURCE = '@temporalio/proto/protos/root.d.ts';
const OWN = 'vector-ferry-demo';

// Packages for one platform are not there on another, and licences are no reading.
const SKIPPED =
  /(?:linux|darwin|win32|freebsd|android)|(?:^|\/)\.|licen[cs]e|notice|@temporalio\/proto\/|gpt-tokenizer\//i;

function filesOf(root: string): SourceFile[] {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md') || path.endsWith('.d.ts'))
    .map((path) => path.split(sep).join('/'))
    .filter((path) => !SKIPPED.test(path));
  // By code units: the locale must not change the order.
  return paths
    .sort((one, other) => (one < other ? -1 : 1))
    .map((path) => ({ path, member: packageOf(path) }));
}

/** The package that a path below node_modules belongs to. */
function packageOf(path: string): string {
  const [first = '', second = ''] = (path.split('node_modules/').at(-1) ?? path).split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}

/** Joins parts into pieces of the lengths above; parts that are longer stay whole. */
function pieces(parts: readonly string[], separator: string): string[] {
  const done: string[] = [];
  let piece = '';
  for (const part of parts) {
    const length = PIECE_LENGTHS[done.length % PIECE_LENGTHS.length]!;
    if (piece !== '' && piece.length + part.length > length) {
      done.push(piece);
      piece = part;
    } else {
      piece += (piece === '' ? '' : separator) + part;
    }
  }
  return [...done, piece];
}

function documentPieces(text: string): string[] {
  if (text.length <= WHOLE_DOCUMENT) return [text];
  const sections = text.split(/^(?=#{1,4} )/m);
  return pieces(
    sections.flatMap((section) =>
      section.length > 6_000 ? pieces(section.split(/(?<=\n\n)/), '') : [section],
    ),
    '',
  );
}

/** The text of the documentation comments of a declaration file. */
function comments(source: string): string[] {
  return Array.from(source.matchAll(/\/\*\*([\s\S]*?)\*\//g), ([, comment = '']) =>
    comment.replace(/^[ \t]*\*[ \t]?/gm, '').trim(),
  ).filter((comment) => comment.length >= SHORTEST_COMMENT);
}

function textsOf(source: string, path: string): string[] {
  return path.endsWith('.md')
    ? documentPieces(source)
    : pieces(Array.from(new Set(comments(source))), '\n\n');
}

/** Pieces of everything readable, in a fixed order, each once. */
function documents(root: string): Text[] {
  const seen = new Set<string>();
  return filesOf(root).flatMap(({ path, member }) =>
    textsOf(readFileSync(join(root, path), 'utf8'), path)
      .filter((text) => text.trim().length >= SHORTEST_PIECE && !seen.has(text) && seen.add(text))
      .map((text) => ({ member, text })),
  );
}

/** Rows that a migration has to get right besides the ordinary ones. */
function specials(root: string): Text[] {
  const huge = comments(readFileSync(join(root, HUGE_SOURCE), 'utf8'))
    .join('\n\n')
    .slice(0, HUGE_ROW);
  const texts = [
    ...[huge, '', null, ' \n\t\r\n', ...CHINESE.slice(0, 6), ...EMOJI.slice(0, 3), ...JAPANESE, ...THAI],
    ...[
      '',
      null,
      '\u3000\u00a0\ufeff',
      ...CHINESE.slice(6),
      ...EMOJI.slice(3),
      '',
      null,
      ' '.repeat(5_000),
      'ok',
    ],
  ];
  return texts.map((text) => ({ member: OWN, text }));
}

/** `count` items of a list, evenly spread, in order. */
function spread<Item>(items: readonly Item[], count: number): Item[] {
  return Array.from({ length: count }, (_, at) => items[Math.floor((at * items.length) / count)]!);
}

/** Ascending ids beyond 2^53 with gaps from 1 to about 2^31, some of them neighbours that a double cannot tell apart. */
function* snowflakes(): Generator<bigint> {
  let id = FIRST_ID;
  for (let state = 1; ; state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) {
    yield id;
    id += state % 7 === 0 ? 1n : BigInt((state >>> 1) + 1);
  }
}

/**
 * Real text for the demo, the same at each call with the same installed packages: readmes, guides, changelogs and
 * documentation comments, a few hundred to a few thousand characters a row, with special rows (at most a quarter) between
 * them: empty, null, blank, one of more than a megabyte, emoji, Chinese, Japanese, Thai.
 *
 * @throws RangeError when the packages have less text than `count` rows need
 */
export function corpus({ count = 3_000 }: { count?: number } = {}): CorpusRow[] {
  const special = specials(NODE_MODULES).slice(0, Math.floor(count / 4));
  const ordinary = documents(NODE_MODULES);
  const wanted = count - special.length;
  if (wanted > ordinary.length) {
    throw new RangeError(`The installed packages have text for ${ordinary.length + special.length} rows.`);
  }
  const texts = spread(ordinary, wanted);
  // From the last to the first, so that the places before stay what they are.
  for (let at = special.length - 1; at >= 0; at -= 1) {
    texts.splice(Math.floor(((at + 0.5) * wanted) / special.length), 0, special[at]!);
  }
  const ids = snowflakes();
  return texts.map(({ member, text }) => ({
    id: ids.next().value as bigint,
    member_code: member,
    parse_content: text,
  }));
}
