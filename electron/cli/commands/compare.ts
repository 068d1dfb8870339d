import { findKernelTarget } from '../../../workloads/catalog/kernelTargets.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { Comparison } from '../../contract/protocol.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { comparisonTable } from '../figures.ts';
import { kernelRatioTable } from '../kernelBench.ts';
import { compareMeasured } from '../measuredComparison.ts';
import { withSession } from '../session.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';
import { summaryOf } from './bench.ts';

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
    const { info } = await session.request('runs.open', { run: a });
    if (options.json === true) terminal.json(comparison);
    else if (info.engine === 'cuda' && findKernelTarget(info.target) !== undefined)
      terminal.print(kernelLines(comparison, a === b, terminal));
    else {
      const summaries = [await summaryOf(session, a), await summaryOf(session, b)] as const;
      const [left, right] = summaries;
      const names =
        left.variant === right.variant
          ? (['first', 'second'] as const)
          : ([left.variant, right.variant] as const);
      terminal.print(
        [
          comparisonTable(names, summaries, comparison, terminal.paint),
          '',
          terminal.paint.bold(comparison.verdict),
          `verification: ${comparison.verification.status} (${comparison.verification.method})`,
          ...(comparison.verification.detail === undefined ? [] : [`  ${comparison.verification.detail}`]),
          ...comparison.warnings.map((warning) => `note: ${warning}`),
          ...differences(comparison),
        ].join('\n'),
      );
      if (options.report !== undefined) terminal.note(`report: ${options.report}`);
    }
    return comparison.verification.status === 'failed' ? 1 : 0;
  });
}

function kernelLines(comparison: Comparison, isOneRun: boolean, { paint }: Terminal): string {
  return [
    kernelRatioTable(comparison, isOneRun ? ['baseline', 'optimized'] : ['first', 'second'], paint),
    '',
    paint.bold(comparison.verdict),
    `verification: ${comparison.verification.status} (${comparison.verification.method})`,
    ...comparison.warnings.map((warning) => `note: ${warning}`),
    ...(isOneRun ? [] : differences(comparison)),
    paint.faint(comparison.method),
  ].join('\n');
}

function differences({ differences: found }: Comparison): string[] {
  if (found.length === 0) return ['The two specs are alike.'];
  const short = (text: string) => (text.length > 40 ? `${text.slice(0, 39)}…` : text);
  return [
    '',
    textTable(
      [{ title: 'differs' }, { title: 'first' }, { title: 'second' }],
      found.slice(0, 40).map(({ path, baseline, optimized }) => [path, short(baseline), short(optimized)]),
    ),
    ...(found.length > 40 ? [`… and ${found.length - 40} more (--json shows all)`] : []),
  ];
}
