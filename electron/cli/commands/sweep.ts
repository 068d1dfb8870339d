import { writeFileSync } from 'node:fs';
import { parseAxis } from '../../../workloads/harness/sweep/axis.ts';
import {
  type ConstraintSpec,
  type ObjectiveSpec,
  type SearchSpec,
  type SweepSpec,
  sweepSpec,
} from '../../../workloads/harness/sweep/sweepSpec.ts';
import { formatMetric, withSeparators } from '../../../workloads/metrics/format.ts';
import { findMetric, metricLabel } from '../../../workloads/metrics/registry.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { SweepContents, SweepInfo } from '../../contract/sweeps.ts';
import { fileReason } from '../../shared/openFile.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { collect, integer, maxSeed, oneOf, positive } from '../options.ts';
import { type Session, withSession } from '../session.ts';
import { parametersOf, sloOf, targetNamed } from '../specOptions.ts';
import { sweepCsv } from '../sweepCsv.ts';
import { SweepProgress } from '../sweepProgress.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';
import {
  addTraceOptions,
  type TraceOptions,
  traceHelp,
  traceOptionGiven,
  traceSpec,
} from '../traceOptions.ts';

interface SweepOptions extends TraceOptions {
  readonly over?: readonly string[];
  readonly search: SearchSpec['kind'];
  readonly budget: number;
  readonly objective?: readonly string[];
  readonly constraint?: readonly string[];
  readonly variant?: string;
  readonly trace?: string;
  readonly set?: readonly string[];
  readonly slo?: string;
  readonly seed: number;
  readonly iterations: number;
  readonly jobs?: number;
  readonly resume?: string;
  readonly out?: string;
  readonly csv?: string;
  readonly top: number;
  readonly json?: boolean;
}

/** Many settings of one target on all cores, and which of them are Pareto-optimal. */
export const sweep: CommandLineCommand = {
  name: 'sweep',
  register(program, terminal, run) {
    addTraceOptions(program.command('sweep [target]'))
      .description('one target at many settings, on all cores; prints the Pareto front')
      .option(
        '--over <axis>',
        'name=a,b,c or name=min..max[:steps][:log]; repeatable; also variant=… and, with --trace, speedup=…',
        collect,
      )
      .option('--search <kind>', 'grid, random or bayesian', oneOf('grid', 'random', 'bayesian'), 'grid')
      .option('--budget <n>', 'points of a random or bayesian search', integer(1, 1_000_000), 100)
      .option(
        '--objective <metric>',
        'e.g. goodput_rps/gpu or ttft_ms.p99; repeatable (default goodput_rps/gpu and ttft_ms.p99)',
        collect,
      )
      .option('--constraint <limit>', 'e.g. "ttft_ms.p99<=2000"; repeatable', collect)
      .option('--variant <name>', 'the variant, where it is no axis (default: optimized)')
      .option('--trace <file>', `${traceHelp}, in place of generated traffic`)
      .option('--set <name=value>', 'a parameter that stays; repeatable', collect)
      .option('--slo <limits>', 'e.g. ttft=350,tpot=45 (ms); what goodput counts')
      .option('--limit <n>', 'only the first n requests of the trace', integer(1, 1_000_000_000))
      .option('--speedup <factor>', 'the trace in less time', positive(''))
      .option('--seed <n>', 'seed of the runs and of the search', integer(0, maxSeed), 0)
      .option('--iterations <n>', 'replicates of each point', integer(1, 1000), 1)
      .option('--jobs <n>', 'runs at once (default: all cores)', integer(1, 1024))
      .option('--resume <sweep>', 'go on with a sweep, by its name or folder')
      .option('--out <folder>', 'where the sweep is kept (default: in the sweeps folder)')
      .option('--csv <file>', 'write all points as CSV')
      .option('--top <n>', 'rows of the printed front', integer(1, 10_000), 20)
      .option('--json', 'print one JSON document')
      .action((target: string | undefined, options: SweepOptions) =>
        run(() => sweepTarget(target, options, terminal)),
      );
  },
};

async function sweepTarget(
  target: string | undefined,
  options: SweepOptions,
  terminal: Terminal,
): Promise<number> {
  if (options.resume === undefined && target === undefined)
    throw new InputError('no target given, expected one of `dyno list`, or --resume SWEEP');
  if (options.resume !== undefined && target !== undefined)
    throw new InputError(`--resume ${options.resume} names its own target: leave "${target}" away`);
  const spec = target === undefined ? undefined : specOf(target, options, terminal.note);
  return withSession({}, async (session) => {
    const begin = performance.now();
    const { info, contents } = await runToEnd(session, spec, options);
    const wall = (performance.now() - begin) / 1000;
    if (options.csv !== undefined) writeCsv(options.csv, contents);
    if (options.json === true)
      terminal.json({
        ...contents.info,
        spec: contents.spec,
        points: contents.points,
        front: contents.front,
        wall_s: Math.round(wall * 1000) / 1000,
      });
    else terminal.print(tableOf(contents, options.top, wall, terminal));
    terminal.note(`sweep: ${info.folder}`);
    if (info.state === 'failed') {
      terminal.note(info.error?.message ?? 'the sweep failed');
      return 1;
    }
    if (info.state === 'cancelled') {
      terminal.note(
        `stopped after ${contents.points.length} of ${info.total} points; go on with: dyno sweep --resume ${options.out === undefined ? info.sweep : info.folder}`,
      );
      return 130;
    }
    return 0;
  });
}

function specOf(targetId: string, options: SweepOptions, note: (line: string) => void): SweepSpec {
  const target = targetNamed(targetId);
  const traffic = options.trace === undefined ? undefined : traceSpec(options.trace, options, note);
  const lonely =
    traffic === undefined
      ? (traceOptionGiven(options) ?? (options.speedup === undefined ? undefined : '--speedup'))
      : undefined;
  if (lonely !== undefined)
    throw new InputError(`${lonely} needs --trace FILE; for generated traffic use --set or --over`);
  if (options.over === undefined)
    throw new InputError('no axis given, expected --over name=a,b,c or --over name=min..max:steps');
  const variants = target.variants.map(({ id }) => id);
  const variant = options.variant ?? (variants.includes('optimized') ? 'optimized' : (variants[0] ?? ''));
  if (!variants.includes(variant))
    throw new InputError(`${target.id} has no variant "${variant}", expected one of ${variants.join(', ')}`);
  const { search: kind, budget } = options;
  return sweepSpec.parse({
    schema: 1,
    target: target.id,
    engine: 'sim',
    variant,
    parameters: parametersOf(target, options.set ?? []),
    ...(traffic === undefined ? {} : { traffic }),
    slo: options.slo === undefined ? {} : sloOf(options.slo),
    seed: options.seed,
    iterations: options.iterations,
    axes: options.over.map((text) => parseAxis(text, target, traffic !== undefined)),
    search: kind === 'grid' ? { kind } : { kind, budget },
    objectives: (options.objective ?? ['goodput_rps/gpu', 'ttft_ms.p99']).map(objectiveOf),
    constraints: (options.constraint ?? []).map(constraintOf),
  });
}

/** `goodput_rps/gpu` */
function figureOf(text: string, option: string): Pick<ObjectiveSpec, 'metric' | 'per'> {
  const perGpu = text.endsWith('/gpu');
  const metric = perGpu ? text.slice(0, -'/gpu'.length) : text;
  if (findMetric(metric) === undefined)
    throw new InputError(
      `${option} ${text}: no metric "${metric}", expected e.g. goodput_rps/gpu or ttft_ms.p99`,
    );
  return { metric, per: perGpu ? 'gpu' : 'run' };
}

function objectiveOf(text: string): ObjectiveSpec {
  const [name = '', direction] = text.split(':');
  const figure = figureOf(name, '--objective');
  const known = findMetric(figure.metric)?.metric.better;
  if (direction !== undefined && direction !== 'lower' && direction !== 'higher')
    throw new InputError(`--objective ${text}: "${direction}", expected lower or higher`);
  if (direction === undefined && (known === undefined || known === 'neutral'))
    throw new InputError(
      `--objective ${text}: neither way is better by itself, expected ${name}:lower or ${name}:higher`,
    );
  return { ...figure, better: direction ?? (known === 'higher' ? 'higher' : 'lower') };
}

function constraintOf(text: string): ConstraintSpec {
  const [, name = '', op, limit] = /^([^<>=]+)(<=|>=)(.+)$/.exec(text) ?? [];
  const value = Number(limit);
  if ((op !== '<=' && op !== '>=') || limit === undefined || !Number.isFinite(value))
    throw new InputError(`--constraint ${text}: expected metric<=number or metric>=number`);
  return { ...figureOf(name.trim(), '--constraint'), op, value };
}

/** Starts or resumes; Ctrl-C stops it with its points kept. */
async function runToEnd(
  session: Session,
  spec: SweepSpec | undefined,
  options: SweepOptions,
): Promise<{ readonly info: SweepInfo; readonly contents: SweepContents }> {
  const progress = new SweepProgress(process.stderr);
  let started: string | undefined;
  let last: SweepInfo | undefined;
  let finish: (info: SweepInfo) => void = () => undefined;
  const ended = new Promise<SweepInfo>((done) => {
    finish = done;
  });
  const stopListening = session.listen((event) => {
    if (event.event !== 'sweep') return;
    last = event.sweep;
    progress.show(event.sweep);
    if (event.sweep.state !== 'running') finish(event.sweep);
  });
  let interrupts = 0;
  const interrupt = () => {
    if (++interrupts > 1) process.exit(130);
    progress.note('stopping: the points that are done are kept');
    if (started !== undefined) void session.request('sweeps.cancel', { sweep: started });
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    const jobs = options.jobs === undefined ? {} : { jobs: options.jobs };
    if (spec === undefined)
      started = (await session.request('sweeps.resume', { sweep: options.resume ?? '', ...jobs })).sweep;
    else
      started = (
        await session.request('sweeps.start', {
          title: `${spec.target}: ${spec.axes.map(({ parameter }) => parameter).join(' × ')}`,
          spec,
          ...jobs,
          ...(options.out === undefined ? {} : { folder: options.out }),
        })
      ).sweep;
    const info = last !== undefined && last.state !== 'running' ? last : await ended;
    return { info, contents: await session.request('sweeps.read', { sweep: started }) };
  } finally {
    progress.stop();
    stopListening();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

function writeCsv(path: string, contents: SweepContents): void {
  try {
    writeFileSync(path, sweepCsv(contents));
  } catch (thrown) {
    throw new InputError(`--csv ${path}: ${fileReason(thrown)}`);
  }
}

function tableOf(contents: SweepContents, top: number, wall: number, { paint }: Terminal): string {
  const { spec, points, front, info } = contents;
  const byIndex = new Map(points.map((p) => [p.index, p]));
  const nameOf = ({ metric, per }: Pick<ObjectiveSpec, 'metric' | 'per'>) =>
    `${metricLabel(metric)}${per === 'gpu' ? ' per GPU' : ''}`;
  const rows = front.slice(0, top).flatMap((index) => {
    const point = byIndex.get(index);
    if (point === undefined) return [];
    return [
      [
        String(index),
        ...spec.axes.map(({ parameter }) => String(point.values[parameter] ?? '')),
        ...spec.objectives.map(({ metric }, i) => {
          const figure = point.objectives[i];
          return typeof figure === 'number' ? formatMetric(metric, figure) : '–';
        }),
      ],
    ];
  });
  const failed = points.filter(({ error }) => error !== undefined);
  const missed = points.filter(({ violation }) => violation > 0).length;
  const lines = [
    `${paint.bold(spec.target)} · engine ${spec.engine} (simulated) · ${info.search} search · ${withSeparators(String(points.length))} of ${withSeparators(String(info.total))} points · ${wall.toFixed(1)} s on ${info.jobs} threads`,
    '',
    paint.bold(
      `Pareto front: ${front.length} ${front.length === 1 ? 'point' : 'points'}${front.length > top ? `, the first ${top}` : ''}`,
    ),
    textTable(
      [
        { title: 'point', align: 'right' },
        ...spec.axes.map(({ parameter }) => ({ title: parameter, align: 'right' as const })),
        ...spec.objectives.map((objective) => ({
          title: `${nameOf(objective)} (${objective.better} is better)`,
          align: 'right' as const,
        })),
      ],
      rows,
    ),
    ...(spec.constraints.length === 0
      ? []
      : [
          `${missed} points miss ${spec.constraints.map((c) => `${nameOf(c)} ${c.op} ${c.value}`).join(' or ')}`,
        ]),
    ...(failed.length === 0
      ? []
      : [`${failed.length} settings cannot be run, e.g. point ${failed[0]?.index}: ${failed[0]?.error}`]),
  ];
  return lines.join('\n');
}
