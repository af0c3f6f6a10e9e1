/** Inputs that OpenAI takes in one request (API reference of /v1/embeddings, parameter `input`). */
export const MAX_INPUTS = 2_048;

/**
 * Tokens that OpenAI takes in one request, all inputs together (same place). It is checked as UTF-8 bytes / 4 before
 * anything is tokenised (found by timescale/pgai, pull request 730), so that is how tokens are counted here.
 */
export const MAX_REQUEST_TOKENS = 300_000;

/** Tokens that OpenAI takes in one input (same place). */
export const MAX_INPUT_TOKENS = 8_192;

/** What one request may hold. */
export interface PackingLimits {
  readonly maxInputs: number;
  readonly maxTokens: number;
  /** A text above it is sent alone, so that its refusal takes no other text with it. */
  readonly maxInputTokens: number;
}

/** What OpenAI takes in one request. */
export const DEFAULT_PACKING_LIMITS: PackingLimits = {
  maxInputs: MAX_INPUTS,
  maxTokens: MAX_REQUEST_TOKENS,
  maxInputTokens: MAX_INPUT_TOKENS,
};

/** Tokens of a text as the service counts them against its limits: UTF-8 bytes / 4, rounded up. */
export function countTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/**
 * Splits texts into requests, in order. A text above a limit gets a request of its own: only the service can say that
 * it refuses it.
 *
 * @returns indexes into `texts`, one list a request, every index once, ascending throughout
 */
export function packTexts(
  texts: readonly string[],
  limits: PackingLimits = DEFAULT_PACKING_LIMITS,
): number[][] {
  const requests: number[][] = [];
  let open: number[] = [];
  let openTokens = 0;
  const close = (): void => {
    if (open.length > 0) requests.push(open);
    open = [];
    openTokens = 0;
  };
  for (const [index, text] of texts.entries()) {
    const tokens = countTokens(text);
    const alone = tokens > limits.maxInputTokens;
    if (alone || open.length >= limits.maxInputs || openTokens + tokens > limits.maxTokens) close();
    open.push(index);
    openTokens += tokens;
    if (alone) close();
  }
  close();
  return requests;
}
