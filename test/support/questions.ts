import { corpus, type CorpusRow } from '../../demo/corpus.ts';

/** A question that somebody might ask of the demo's texts, and which rows answer it. */
export interface Question {
  readonly text: string;
  readonly mode: 'hybrid' | 'sparse';
  readonly isRight: (row: CorpusRow) => boolean;
}

/** Rows of these packages are all taken; the questions are about them. */
const PACKAGES = [
  'ajv',
  'commander',
  'graceful-fs',
  'heap-js',
  'iconv-lite',
  'ignore',
  'locate-path',
  'p-limit',
  'semver',
  'smol-toml',
  'source-map',
  'source-map-js',
  'uuid',
];
/** Rows that Vector Ferry wrote itself, in other scripts than Latin among them. */
const OWN = 'vector-ferry-demo';
/** Of what is in nobody's question, one row in so many, as hay. */
const HAY = 5;
/** The megabyte row is for other tests. */
const LONGEST = 100_000;

/** The demo's texts, as few as the questions allow. */
export function questionCorpus(): CorpusRow[] {
  return corpus().filter(
    ({ member_code, parse_content }, at) =>
      (parse_content?.length ?? 0) <= LONGEST &&
      (member_code === OWN || PACKAGES.includes(member_code) || at % HAY === 0),
  );
}

function english(text: string, packages: RegExp, says: RegExp): Question {
  return {
    text,
    mode: 'hybrid',
    isRight: ({ member_code, parse_content }) => packages.test(member_code) && says.test(parse_content ?? ''),
  };
}

/** @param says what only the row that answers says */
function other(mode: Question['mode'], text: string, says: string): Question {
  return { text, mode, isRight: ({ parse_content }) => parse_content?.includes(says) === true };
}

/** Written as keywords or questions, none copied from the texts; Chinese by words alone. */
export const QUESTIONS: readonly Question[] = [
  english('generate a name-based uuid from a namespace with SHA-1', /^uuid$/, /uuid\.v5\(/),
  english('how do I make a command line option mandatory', /^commander$/, /requiredOption/),
  english('strip the byte order mark when decoding a buffer', /^iconv-lite$/, /BOM/),
  english('does a path match the gitignore rules', /^ignore$/, /\.ignores\(|gitignore/),
  english('fill in missing properties with the defaults of a JSON schema', /^ajv$/, /useDefaults/),
  english('EMFILE error because too many files are open', /^graceful-fs$/, /EMFILE/),
  english('heap that keeps the smallest element on top', /^heap-js$/, /[Mm]in[ -]?[Hh]eap|smallest/),
  english(
    'look up the original source position for a generated line and column',
    /^source-map(?:-js)?$/,
    /originalPositionFor/,
  ),
  english('which of several paths exists on disk first', /^locate-path$/, /exists/),
  english('run promises with limited concurrency', /^p-limit$/, /concurrency/),
  english('what does a caret range allow in semver', /^semver$/, /[Cc]aret/),
  english('parse a TOML document in JavaScript', /^smol-toml$/, /TOML/),
  other('hybrid', '京都で紅葉を見るのはいつがいい', '東福寺'),
  other('hybrid', '味噌汁のだしの取り方', '鰹節'),
  other('hybrid', 'วิธีทำต้มยำกุ้ง', 'ตะไคร้'),
  other('sparse', '红烧肉怎么炖才不腻', '红烧肉'),
  other('sparse', '第一次去西安看兵马俑', '兵马俑'),
  other('sparse', '猫突然不吃东西要看兽医吗', '养猫'),
  other('sparse', '海底光缆断了怎么维修', '光缆'),
  other('sparse', '令牌桶限流算法', '令牌桶'),
];
