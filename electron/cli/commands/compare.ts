import { InputError } from '../../../workloads/run/inputError.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { withCliKind } from '../kinds/cliKinds.ts';
import { compareMeasured } from '../measuredComparison.ts';
import { withSession } from '../session.ts';
import type { Terminal } from '../terminal.ts';

interface CompareOptions {
  readonly json?: boolean;
  readonly report?: string;
  readonly measured?: string;
}

/** Two runs that were made before, by id or bundle folder. */
export const compare: CommandLineCommand = {
  name: 'compare',
  register(program, terminal, run) {
    program
      .command('compare <baseline> [optimized]')
      .description(
        'two runs (id or bundle folder): ratios with intervals, what differs, what to mind; of a run that measured kernels its own variants',
      )
      .option('--measured <file>', 'requests.jsonl of a real engine: errors of one run against it')
      .option('--report <file>', 'write an HTML report')
      .option('--json', 'print one JSON document')
      .action((a: string, b: string | undefined, options: CompareOptions) =>
        run(() => {
          if (options.measured === undefined) return compareTwo(a, b ?? a, options, terminal);
          if (b !== undefined)
            throw new InputError('--measured compares one run, expected `dyno compare RUN --measured FILE`');
          return compareMeasured(a, options.measured, options.json === true, terminal);
        }),
      );
  },
};

function compareTwo(a: string, b: string, options: CompareOptions, terminal: Terminal): Promise<number> {
  return withSession({}, async (session) => {
    const comparison = await session.request('runs.compare', { baseline: a, optimized: b });
    if (options.report !== undefined)
      await session.request('runs.report', { baseline: a, optimized: b, path: options.report });
    const manifest = await session.host.manifestOf(a);
    if (options.json === true) terminal.json(comparison);
    else {
      terminal.print(
        await withCliKind(manifest.spec, (kind) => kind.compared(session, a, b, comparison, terminal)),
      );
      if (options.report !== undefined) terminal.note(`report: ${options.report}`);
    }
    return comparison.verification.status === 'failed' ? 1 : 0;
  });
}
