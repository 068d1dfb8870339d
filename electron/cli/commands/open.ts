import { InputError } from '../../../workloads/run/inputError.ts';
import { type FoundFile, whatFile } from '../../host/open/whatFile.ts';
import type { CommandLineCommand } from '../commandLine.ts';

/** Any file: says what it is, and does with it what is obvious. */
export const open: CommandLineCommand = {
  name: 'open',
  register(program, terminal, run) {
    program
      .command('open <file> [options...]')
      .description(
        'any file: says what it is and shows it (a trace, a profile, a result, a model, a run); further options go to what shows it',
      )
      .option('--what', 'only say what it is')
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (path: string, rest: readonly string[], options: { readonly what?: boolean }) => {
        const words: { command: readonly string[] | undefined } = { command: undefined };
        const say = async (): Promise<number> => {
          const { kind, what, findings } = whatFile(path, hintsOf(rest));
          terminal.note([`${path}: ${what}`, ...findings].join('; '));
          if (options.what === true || rest.includes('--what')) {
            terminal.print(kind);
            return 0;
          }
          words.command = commandFor(kind, path, rest);
          return 0;
        };
        // An error ends the process with its status; otherwise the command that shows the file goes on.
        try {
          const status = await say();
          if (words.command === undefined) return run(() => Promise.resolve(status));
        } catch (thrown) {
          return run(() => Promise.reject(thrown));
        }
        await program.parseAsync([...words.command], { from: 'user' });
      });
  },
};

function commandFor(kind: FoundFile['kind'], path: string, rest: readonly string[]): readonly string[] {
  switch (kind) {
    case 'trace':
      return ['trace', 'inspect', path, ...rest];
    case 'timeline':
    case 'counters':
      return ['capture', 'open', path, ...rest];
    case 'result':
      return ['import', path, ...rest];
    case 'model':
      return ['models', path, ...rest];
    case 'run':
      return ['report', path.replace(/[\\/]manifest\.json$/, ''), ...rest];
    case 'spec':
      return ['run', '--spec', path, ...rest];
    default:
      return kind satisfies never;
  }
}

/** Options of a trace that settle what the detector would ask. */
function hintsOf(rest: readonly string[]) {
  const wordAfter = (name: string): string | undefined => {
    const at = rest.indexOf(name);
    return at < 0 ? rest.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) : rest[at + 1];
  };
  const numberOf = (name: string): number | undefined => {
    const text = wordAfter(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!Number.isFinite(value)) throw new InputError(`${name} ${text}: expected a number`);
    return value;
  };
  const unit = wordAfter('--time-unit');
  return {
    time_unit: (['s', 'ms', 'us', 'ns'] as const).find((each) => each === unit),
    block_tokens: numberOf('--block-tokens'),
    rate_rps: numberOf('--rate'),
    chars_per_token: numberOf('--chars-per-token'),
    output_tokens: numberOf('--output-tokens'),
  };
}
