import { join } from 'node:path';
import { InputError } from '../../../workloads/run/inputError.ts';
import { manifestOf } from '../../host/kinds/hostKinds.ts';
import { type FoundFile, whatFile } from '../../host/open/whatFile.ts';
import { readManifest } from '../../host/store/manifest.ts';
import { readJson } from '../../shared/openFile.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { withCliKind } from '../kinds/cliKinds.ts';
import type { Terminal } from '../terminal.ts';

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
          if (kind === 'run') return showRun(path, rest.includes('--json'), terminal);
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

/** A run bundle: what was run, and its summary. */
async function showRun(path: string, isJson: boolean, terminal: Terminal): Promise<number> {
  const folder = path.replace(/[\\/]manifest\.json$/, '');
  const manifest = await readManifest(folder);
  let summary: object;
  try {
    summary = readJson(join(folder, 'summary.json'), 'the summary of a run') as object;
  } catch {
    throw new InputError(
      `${folder}: a run that is ${manifest.status} and has no summary.json, expected a finished run`,
    );
  }
  if (isJson) terminal.json({ run: manifest.run, folder, summary });
  else
    terminal.print(
      withCliKind(manifest.spec, (kind, spec) => kind.opened(folder, manifestOf(manifest, spec), summary)),
    );
  return 0;
}

function commandFor(
  kind: Exclude<FoundFile['kind'], 'run'>,
  path: string,
  rest: readonly string[],
): readonly string[] {
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
