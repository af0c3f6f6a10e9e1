/** Something that the user has to mend before the stack can do anything: nothing was started or changed. */
export class StackProblem extends Error {
  override readonly name = 'StackProblem';
  readonly problems: readonly string[];

  /** @param problems one sentence each: what was found, and what to do */
  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join('\n'), options);
    this.problems = problems;
  }
}
