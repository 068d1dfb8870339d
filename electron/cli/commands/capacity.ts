import { writeFileSync } from 'node:fs';
import { type Capacity, type CapacityPoint, findCapacity } from '../../../workloads/harness/capacity.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { RunSpec, TrafficSpec } from '../../../workloads/run/spec.ts';
import type { Summary } from '../../../workloads/run/summary.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import { simulate } from '../../shared/simulate.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { integer, number } from '../options.ts';
import { summaryOf } from '../servingBench.ts';
import { type Session, withSession } from '../session.ts';
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

/** The largest load that meets the objectives at a stated share: bracketing and bisection with repeated seeds. */
export const capacity: CommandLineCommand = {
  name: 'capacity',
  register(program, terminal, run) {
    addSpecOptions(
      program
        .command('capacity [target]')
        .description(
          'the largest rate, or number of clients, at which a stated share of the requests meets the objectives',
        ),
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
  const { ttft_ms, tpot_ms, e2e_ms } = spec.slo;
  if (ttft_ms === undefined && tpot_ms === undefined && e2e_ms === undefined)
    throw new InputError('no objectives: expected --slo, e.g. --slo ttft=500,tpot=50 (ms)');
  const detail = { requests: 'none', decisions: 'none', iterations: 'none', token_gaps: 'none' } as const;
  const at = (traffic: TrafficSpec, seed: number): RunSpec => ({
    ...spec,
    traffic,
    seed,
    iterations: 1,
    detail,
  });
  const search = (run: (traffic: TrafficSpec, seed: number) => Promise<Summary>): Promise<Capacity> =>
    findCapacity(
      spec.traffic,
      run,
      {
        share: options.good,
        seeds: Array.from({ length: options.seeds }, (_, i) => spec.seed + i),
        tolerance: options.tolerance,
        most: 1024,
      },
      (point) =>
        terminal.note(`${loadText(point)}: ${percent(point.share)} good${point.meets ? '' : ', misses'}`),
    );
  // Devices and servers are the runner's: each point is a run of its own, whose bundle is not kept.
  const found =
    spec.engine === 'sim'
      ? await search((traffic, seed) => simulate(at(traffic, seed)))
      : await withSession({}, (session) =>
          search((traffic, seed) => measured(session, at(traffic, seed))),
        ).catch((thrown: unknown) => {
          if (thrown instanceof Cancelled) return undefined;
          throw thrown;
        });
  if (found === undefined) {
    terminal.note('cancelled');
    return 130;
  }
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

class Cancelled extends Error {}

/** Throws RunFailure where the run failed, Cancelled after Ctrl-C. */
async function measured(session: Session, spec: RunSpec): Promise<Summary> {
  const job = await session.runToEnd(`${spec.target}: capacity`, [spec], 'max', { remarks: false });
  const id = job.runs[0]?.run;
  if (job.error !== undefined) throw new RunFailure(job.error);
  if (job.state !== 'done' || id === undefined) throw new Cancelled();
  const summary = await summaryOf(session, id);
  await session.request('runs.delete', { runs: [id] });
  return summary;
}

const loadText = ({ clients, rate: reached }: CapacityPoint): string =>
  `${clients === undefined ? '' : `${clients} clients, `}${rate(reached)}/s`;
const rate = (value: number): string => value.toPrecision(3);
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const ms = (value: number): string => (Number.isFinite(value) ? formatMetric('ttft_ms', value) : '–');

function sentence(
  { rate: found, clients, interval: [low, high], points }: Capacity,
  options: CapacityCommandOptions,
): string {
  const wanted = `${percent(options.good)} of the requests`;
  if (found === undefined)
    return `No load meets the objectives for ${wanted}: at ${points[0] === undefined ? '' : loadText(points[0])} it is ${percent(points[0]?.share ?? 0)}.`;
  if (clients !== undefined) {
    const [least, most] = [low === undefined ? 'no number tried' : `${low}`, high ?? 'beyond what was tried'];
    return `${clients} clients at once (${rate(found)} requests/s) meet the objectives for ${wanted} (every seed meets up to ${least}, none from ${most}).`;
  }
  const seeds = options.seeds === 1 ? 'one seed' : `${options.seeds} seeds`;
  const bounds = `every seed meets up to ${low === undefined ? 'none of the rates tried' : `${rate(low)}/s`}, none from ${high === undefined ? 'beyond what was tried' : `${rate(high)}/s`}`;
  return `${rate(found)} requests/s meet the objectives for ${wanted} (${seeds}; ${bounds}).`;
}

function tableOf(points: readonly CapacityPoint[]): string {
  const isClosed = points.some(({ clients }) => clients !== undefined);
  return textTable(
    [
      ...(isClosed ? [{ title: 'clients', align: 'right' as const }] : []),
      { title: 'requests/s', align: 'right' },
      { title: 'good', align: 'right' },
      { title: 'goodput, 1/s', align: 'right' },
      { title: 'TTFT p50, p95', align: 'right' },
      { title: 'TPOT p50, p95', align: 'right' },
      { title: '' },
    ],
    points.map((point) => [
      ...(isClosed ? [`${point.clients}`] : []),
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
    'clients',
    'good_share',
    'goodput_rps',
    'ttft_p50_ms',
    'ttft_p95_ms',
    'tpot_p50_ms',
    'tpot_p95_ms',
    'overloaded_share',
  ];
  const rows = points.map((p) =>
    [
      p.rate,
      p.clients ?? '',
      p.share,
      p.goodput,
      p.ttftP50,
      p.ttftP95,
      p.tpotP50,
      p.tpotP95,
      p.overloaded,
    ].join(','),
  );
  return `${[columns.join(','), ...rows].join('\n')}\n`;
}
