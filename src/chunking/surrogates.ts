/** `at`, or one less where `at` lies between the two halves of a surrogate pair of `text`. */
export function clearOfPair(text: string, at: number): number {
  const isInPair =
    at > 0 &&
    at < text.length &&
    (text.charCodeAt(at) & 0xfc00) === 0xdc00 &&
    (text.charCodeAt(at - 1) & 0xfc00) === 0xd800;
  return isInPair ? at - 1 : at;
}
