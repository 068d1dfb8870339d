import { writeFileSync } from 'node:fs';
import {
  atRate,
  type Capacity,
  type CapacityPoint,
  findCapacity,
} from '../../../workloads/harness/capacity.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { simulate } from '../../shared/simulate.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { integer, number } from '../options.ts';
import { addSpecOptions, type SpecOptions, specsOf } from '../specOptions.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';

interface CapacityCommandOptions extends SpecOptions {
  readonly good: number;
  readonly seeds: number;
  readonly tolerance: number;
  readonly csv?: string;
  readonly json?: boolean;
}

/** The largest rate that meets the objectives at a stated share: bracketing and bisection with repeated seeds. */
export const capacity: CommandLineCommand = {
  name: 'capacity',
  register(program, terminal, run) {
    addSpecOptions(
      program
        .command('capacity [target]')
        .description('the largest rate at which a stated share of the requests meets the objectives'),
      'the variant (default: optimized)',
    )
      .option('--good <share>', 'share of requests that must meet every objective', number(0.001, 1), 0.95)
      .option('--seeds <n>', 'runs per rate, each with a seed of its own', integer(1, 100), 3)
      .option('--tolerance <share>', 'how close the rate is looked for', number(0.001, 1), 0.05)
      .option('--csv <file>', 'write every point that was run')
      .option('--json', 'print one JSON document')
      .action((target: string | undefined, options: CapacityCommandOptions) =>
        run(() => answer(target, options, terminal)),
      );
  },
};

async function answer(
  target: string | undefined,
  options: CapacityCommandOptions,
  terminal: Terminal,
): Promise<number> {
  const [spec, ...others] = specsOf(target, options, ['optimized']);
  if (spec === undefined || others.length > 0)
    throw new InputError(`--variant ${options.variant ?? ''}: expected one variant`);
  if (spec.engine !== 'sim')
    throw new InputError(`--engine ${spec.engine}: capacity is searched for in the simulator, expected sim`);
  const { ttft_ms, tpot_ms, e2e_ms } = spec.slo;
  if (ttft_ms === undefined && tpot_ms === undefined && e2e_ms === undefined)
    throw new InputError('no objectives: expected --slo, e.g. --slo ttft=500,tpot=50 (ms)');
  const detail = { requests: 'none', decisions: 'none', iterations: 'none', token_gaps: 'none' } as const;
  const found = await findCapacity(
    (factor, seed) =>
      simulate({ ...spec, traffic: atRate(spec.traffic, factor), seed, iterations: 1, detail }),
    {
      share: options.good,
      seeds: Array.from({ length: options.seeds }, (_, i) => spec.seed + i),
      tolerance: options.tolerance,
      most: 1024,
    },
    (point) =>
      terminal.note(`${rate(point.rate)}/s: ${percent(point.share)} good${point.meets ? '' : ', misses'}`),
  );
  if (options.csv !== undefined) writeFileSync(options.csv, csvOf(found.points));
  if (options.json === true) {
    terminal.json({
      target: spec.target,
      variant: spec.variant,
      good: options.good,
      slo: spec.slo,
      ...found,
    });
    return 0;
  }
  terminal.print(`${sentence(found, options)}\n\n${tableOf(found.points)}`);
  return 0;
}

const rate = (value: number): string => value.toPrecision(3);
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const ms = (value: number): string => (Number.isFinite(value) ? formatMetric('ttft_ms', value) : '–');

function sentence(
  { rate: found, interval: [low, high], points }: Capacity,
  options: CapacityCommandOptions,
): string {
  const wanted = `${percent(options.good)} of the requests`;
  if (found === undefined)
    return `No rate meets the objectives for ${wanted}: at ${rate(points[0]?.rate ?? 0)}/s it is ${percent(points[0]?.share ?? 0)}.`;
  const seeds = options.seeds === 1 ? 'one seed' : `${options.seeds} seeds`;
  const bounds = `every seed meets up to ${low === undefined ? 'none of the rates tried' : `${rate(low)}/s`}, none from ${high === undefined ? 'beyond what was tried' : `${rate(high)}/s`}`;
  return `${rate(found)} requests/s meet the objectives for ${wanted} (${seeds}; ${bounds}).`;
}

function tableOf(points: readonly CapacityPoint[]): string {
  return textTable(
    [
      { title: 'requests/s', align: 'right' },
      { title: 'good', align: 'right' },
      { title: 'goodput, 1/s', align: 'right' },
      { title: 'TTFT p50, p95', align: 'right' },
      { title: 'TPOT p50, p95', align: 'right' },
      { title: '' },
    ],
    points.map((point) => [
      rate(point.rate),
      percent(point.share),
      rate(point.goodput),
      `${ms(point.ttftP50)}, ${ms(point.ttftP95)}`,
      `${ms(point.tpotP50)}, ${ms(point.tpotP95)}`,
      point.overloaded > 0 ? 'overloaded' : point.meets ? '' : 'misses',
    ]),
  );
}

function csvOf(points: readonly CapacityPoint[]): string {
  const columns = [
    'rate_rps',
    'good_share',
    'goodput_rps',
    'ttft_p50_ms',
    'ttft_p95_ms',
    'tpot_p50_ms',
    'tpot_p95_ms',
    'overloaded_share',
  ];
  const rows = points.map((p) =>
    [p.rate, p.share, p.goodput, p.ttftP50, p.ttftP95, p.tpotP50, p.tpotP95, p.overloaded].join(','),
  );
  return `${[columns.join(','), ...rows].join('\n')}\n`;
}
