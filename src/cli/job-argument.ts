/** The name of a job as a shell takes it as one argument of a command, for commands that are shown to be copied. */
export function jobArgument(name: string): string {
  const word = /^[\p{L}\p{N}_.,:@%+=-]+$/u.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
  // Else it would be a flag, quoted or not.
  return name.startsWith('-') ? `-- ${word}` : word;
}
