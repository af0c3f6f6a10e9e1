import { Argument, Command } from 'commander';

/** A script for a shell, from the commands as they are. */
const SHELLS = { bash, zsh, fish } as const;
type Shell = keyof typeof SHELLS;

/** `ferry completion` */
export function completionCommand(): Command {
  return new Command('completion')
    .description('print a script that completes commands, flags and their values in your shell')
    .addArgument(new Argument('<shell>', 'your shell').choices(Object.keys(SHELLS)))
    .addHelpText(
      'after',
      `
Examples:
  $ source <(ferry completion bash)                                 # in ~/.bashrc
  $ source <(ferry completion zsh)                                  # in ~/.zshrc, after compinit
  $ ferry completion fish > ~/.config/fish/completions/ferry.fish`,
    )
    .action((shell: Shell, _options: unknown, command: Command) => {
      process.stdout.write(SHELLS[shell](describe(command.parent ?? command)));
    });
}

interface Flag {
  /** `--mode`, and `-m` where there is one. */
  readonly names: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  readonly isVariadic: boolean;
  readonly values: readonly string[];
}

/** A command, by the words that lead to it after `ferry`. */
interface Described {
  readonly path: string;
  readonly flags: readonly Flag[];
  /** Commands below it, and values of its first argument. */
  readonly words: readonly { readonly name: string; readonly description: string }[];
}

/** The command and all below it. */
function describe(command: Command, path: readonly string[] = []): Described[] {
  const help = command.createHelp();
  const below = help.visibleCommands(command).filter((child) => child.name() !== 'help');
  const choices = command.registeredArguments[0]?.argChoices ?? [];
  const own: Described = {
    path: path.join(' '),
    flags: help.visibleOptions(command).map((option) => ({
      names: [option.short, option.long].filter((name) => name !== undefined && name !== null),
      description: option.description,
      takesValue: option.required || option.optional,
      isVariadic: option.variadic,
      values: option.argChoices ?? [],
    })),
    words: [
      ...below.map((child) => ({ name: child.name(), description: child.description() })),
      ...choices.map((name) => ({ name, description: '' })),
    ],
  };
  return [own, ...below.flatMap((child) => describe(child, [...path, child.name()]))];
}

/**
 * What bash and zsh share: from the words before the cursor it finds the command (`at`) and the flag whose value comes
 * next (`flag`), and leaves in `found` what may stand in the place of `cur`, the word at the cursor, or sets `files`
 * where that is a path or free text.
 */
function tables(commands: readonly Described[]): string {
  const paths = commands.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`]));
  const withValues = (isWanted: (flag: Flag) => boolean): string =>
    commands
      .flatMap(({ path, flags }) =>
        flags
          .filter((flag) => flag.takesValue && isWanted(flag))
          .flatMap(({ names }) => names.map((name) => `'${path} ${name}'`)),
      )
      .join('|');
  const valued = commands.flatMap(({ path, flags }) =>
    flags
      .filter(({ values }) => values.length > 0)
      .map(({ names, values }) => {
        const patterns = names.map((name) => `'${path} ${name}'`).join('|');
        return `    ${patterns}) found='${values.join(' ')}';;`;
      }),
  );
  const words = commands.map(({ path, flags, words: own }) => {
    const all = [...own.map(({ name }) => name), ...flags.flatMap(({ names }) => names)];
    return `    '${path}') found='${all.join(' ')}';;`;
  });
  return `  for word in "$@"; do
    case "$word" in
      -*) flag="$at $word"
        case "$flag" in ${withValues(() => true)}) ;; *) flag='';; esac
        continue;;
    esac
    if [ -n "$flag" ]; then
      case "$flag" in ${withValues(({ isVariadic }) => isVariadic)}) ;; *) flag='';; esac
      continue
    fi
    case "\${at:+$at }$word" in ${paths.join('|')}) at="\${at:+$at }$word";; esac
  done
  case "$cur" in -*) flag='';; esac
  case "$flag" in
${["    '') ;;", ...valued].join('\n')}
    *) files=1;;
  esac
  [ -n "$flag" ] || case "$at" in
${words.join('\n')}
  esac`;
}

function bash(commands: readonly Described[]): string {
  return `_ferry_find() {
  local word
${tables(commands)}
}
_ferry() {
  local at='' flag='' found='' files='' cur="\${COMP_WORDS[COMP_CWORD]}"
  _ferry_find "\${COMP_WORDS[@]:1:COMP_CWORD-1}"
  COMPREPLY=($(compgen -W "$found" -- "$cur"))
  [ -z "$files" ] || compopt -o default
}
complete -F _ferry ferry
`;
}

function zsh(commands: readonly Described[]): string {
  return `_ferry_find() {
  local word
${tables(commands)}
}
_ferry() {
  local at='' flag='' found='' files='' cur="\${words[CURRENT]}"
  _ferry_find "\${(@)words[2,CURRENT-1]}"
  if [ -n "$files" ]; then _files; else compadd -- \${=found}; fi
}
compdef _ferry ferry
`;
}

function fish(commands: readonly Described[]): string {
  const quoted = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
  const lines = commands.flatMap(({ path, flags, words }) => {
    const here = `complete -c ferry -n "__ferry_at ${quoted(path)}"`;
    return [
      ...words.map(({ name, description }) => `${here} -f -a ${name} -d ${quoted(description)}`),
      ...flags.map(({ names, description, takesValue, values }) =>
        [
          here,
          ...names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)),
          ...(values.length > 0 ? [`-x -a ${quoted(values.join(' '))}`] : takesValue ? ['-r'] : []),
          `-d ${quoted(description)}`,
        ].join(' '),
      ),
    ];
  });
  const paths = commands.flatMap(({ path }) => (path === '' ? [] : [quoted(path)]));
  return `function __ferry_at
  set -l at
  for word in (commandline -opc)[2..]
    set -l longer (string join ' ' -- $at $word)
    contains -- "$longer" ${paths.join(' ')}; and set at $longer
  end
  test "$at" = "$argv[1]"
end
complete -c ferry -f
${lines.join('\n')}
`;
}
