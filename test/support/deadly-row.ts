/**
 * Loaded into a worker (`node --import`): a row with the word in DEADLY_WORD kills the process when its content is looked
 * at, as a crash in native code or the kernel's out-of-memory killer would.
 */
const word = process.env['DEADLY_WORD'] ?? '';
// eslint-disable-next-line @typescript-eslint/unbound-method -- called on the string that it is called on
const trim = String.prototype.trim;
String.prototype.trim = function (this: string): string {
  if (word !== '' && this.includes(word)) process.kill(process.pid, 'SIGKILL');
  return trim.call(this);
};
