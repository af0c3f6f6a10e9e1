import { z } from 'zod';
import { numberSetting } from '../number-setting.ts';
import type { Bm25Options } from './target.ts';

/** Languages for which Qdrant has stop words; it takes any other name silently and then does without. */
const LANGUAGES = [
  'arabic',
  'azerbaijani',
  'basque',
  'bengali',
  'catalan',
  'chinese',
  'danish',
  'dutch',
  'english',
  'finnish',
  'french',
  'german',
  'greek',
  'hebrew',
  'hinglish',
  'hungarian',
  'indonesian',
  'italian',
  'japanese',
  'kazakh',
  'nepali',
  'norwegian',
  'portuguese',
  'romanian',
  'russian',
  'slovene',
  'spanish',
  'swedish',
  'tajik',
  'turkish',
  'none',
] as const;

const TOKENIZERS = [
  'multilingual',
  'word',
  'whitespace',
  'prefix',
] as const satisfies readonly Bm25Options['tokenizer'][];

/** A name becomes `<name>_v1` when the collection is created, and Qdrant allows 255 characters. */
const MAX_NAME_LENGTH = 240;

/** Where Qdrant is and how to log in; each worker's own. Keys are the variables of the environment. */
export const targetSettings = z.object({
  QDRANT_URL: z
    .string('expected a URL like https://host:6333')
    .refine(isServiceUrl, 'expected a URL like https://host:6333, without login, query or fragment')
    .describe('Address of Qdrant; without a port 6333 is meant, so write :443 behind a proxy.'),
  QDRANT_API_KEY: z
    .string()
    // Anything else is no header value, and the error of the driver would quote the key.
    .regex(/^[\x21-\x7e]+$/, 'expected visible ASCII characters only')
    .optional()
    .describe('API key of Qdrant, with read and write access to the collection.'),
  QDRANT_TIMEOUT_SECONDS: numberSetting({ min: 1, max: 3_600 })
    .default(60)
    .describe('How long one request to Qdrant may take before it is tried again.'),
});

/** Settings of {@link targetSettings}. */
export type TargetSettings = z.infer<typeof targetSettings>;

/** What a job asks of its collection; part of the job's specification. */
export const collectionSettings = z.object({
  QDRANT_COLLECTION_NAME: z
    .string()
    .max(MAX_NAME_LENGTH, `expected at most ${MAX_NAME_LENGTH} characters`)
    .refine(
      isCollectionName,
      'expected a name other than . and .., without control characters and any of < > : " / \\ | ? *',
    )
    .default('memos')
    .describe('Alias or collection that the points go to; created if neither exists.'),
  QDRANT_BINARY_QUANTIZATION: z
    .stringbool({ truthy: ['true'], falsy: ['false'], error: 'expected true or false' })
    .default(false)
    .describe('Whether a new collection keeps binary quantized vectors in memory.'),
  BM25_TOKENIZER: z
    .enum(TOKENIZERS, { error: `expected ${TOKENIZERS.join(', ')}` })
    .default('multilingual')
    .describe(
      'How Qdrant cuts text into words; only multilingual finds words in Chinese, Japanese and Thai.',
    ),
  BM25_LANGUAGE: z
    .enum(LANGUAGES, { error: `expected ${LANGUAGES.join(', ')}` })
    .default('english')
    .describe('Language of stop words and stemming for keyword search, or none.'),
  BM25_K: numberSetting({ min: 0, max: 10, whole: false })
    .default(1.2)
    .describe('How much repeated words count (BM25 k1).'),
  BM25_B: numberSetting({ min: 0, max: 1, whole: false })
    .default(0.75)
    .describe('How much long texts are held back (BM25 b).'),
  BM25_AVG_LEN: numberSetting({ min: 1, max: 1_000_000, whole: false })
    .default(128)
    .describe('Expected mean length of a child in words; fixed once the collection exists.'),
});

/** Settings of {@link collectionSettings}. */
export type CollectionSettings = z.infer<typeof collectionSettings>;

/** @returns the BM25 options of the settings, named as Qdrant names them */
export function bm25Options(settings: CollectionSettings): Bm25Options {
  return {
    tokenizer: settings.BM25_TOKENIZER,
    language: settings.BM25_LANGUAGE,
    k: settings.BM25_K,
    b: settings.BM25_B,
    avg_len: settings.BM25_AVG_LEN,
  };
}

/** For collections that do not say which options their points were made with. */
export const DEFAULT_BM25: Bm25Options = bm25Options(collectionSettings.parse({}));

function isServiceUrl(text: string): boolean {
  if (!URL.canParse(text)) {
    return false;
  }
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && username + password + search + hash === '';
}

function isCollectionName(name: string): boolean {
  // The characters that Qdrant itself refuses.
  return !/[<>:"/\\|?*\u0000-\u001f]/.test(name) && !/^\.{0,2}$/.test(name) && name.trim() === name;
}
