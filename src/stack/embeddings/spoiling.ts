/**
 * Ways to spoil an answer whose work is done and paid: `truncated` breaks the JSON off, `wrong-length` makes the last
 * vector one number shorter, `nan` puts a NaN into it, `null` puts null in its place, `too-few` leaves it out, and `lost`
 * resets the connection instead of answering.
 */
export const SPOILINGS = ['truncated', 'wrong-length', 'nan', 'null', 'too-few', 'lost'] as const;

export type Spoiling = (typeof SPOILINGS)[number];

/** Which answers are spoilt. */
export interface Spoil {
  readonly how: Spoiling;
  /** So many answers; without it, all until it is switched off. */
  readonly count?: number;
}

interface AnswerItem {
  embedding: string | number[] | null;
}

interface AnswerBody {
  data: AnswerItem[];
}

const FLOAT_BYTES = 4;

/**
 * The same answer, spoilt.
 *
 * @param body JSON of a list of vectors, as numbers or as base64
 */
export function spoilBody(body: string, how: Exclude<Spoiling, 'lost'>): string {
  if (how === 'truncated') return body.slice(0, Math.floor(body.length / 2));
  const answer = JSON.parse(body) as AnswerBody;
  const last = answer.data.at(-1);
  if (last === undefined) return body;
  if (how === 'too-few') answer.data.pop();
  else if (how === 'null') last.embedding = null;
  else if (typeof last.embedding === 'string') last.embedding = spoilBase64(last.embedding, how);
  else if (how === 'wrong-length') last.embedding?.pop();
  // JSON has no NaN; some servers write it all the same.
  else return JSON.stringify(answer).replace(/("embedding":\[)[^,\]]+(?!.*"embedding")/s, '$1NaN');
  return JSON.stringify(answer);
}

function spoilBase64(text: string, how: 'wrong-length' | 'nan'): string {
  const bytes = Buffer.from(text, 'base64');
  if (how === 'wrong-length') return bytes.subarray(0, bytes.length - FLOAT_BYTES).toString('base64');
  bytes.writeFloatLE(Number.NaN, 0);
  return bytes.toString('base64');
}
