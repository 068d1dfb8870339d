import { type QueueResult, runQueue } from '../../../workloads/queueing/queueBench.ts';
import {
  disciplines,
  maxJobs,
  maxServers,
  parseArrivals,
  parseClasses,
  parseDiscipline,
  parseService,
  type QueueSpec,
} from '../../../workloads/queueing/queueSpec.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { trafficSource } from '../../shared/trafficSource.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { integer, maxSeed, positive } from '../options.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';
import { addTraceOptions, type TraceOptions, traceHelp, traceSpec } from '../traceOptions.ts';

interface QueueOptions extends TraceOptions {
  readonly arrivals: string;
  readonly trace?: string;
  readonly service: string;
  readonly servers: number;
  readonly discipline: string;
  readonly rho: number;
  readonly n?: number;
  readonly seed: number;
  readonly capacity?: number;
  readonly classes?: string;
  readonly warmup?: number;
  readonly json?: boolean;
}

/** The queueing bench: a queue on paper, against which the simulator is held. */
export const queue: CommandLineCommand = {
  name: 'queue',
  register(program, terminal, run) {
    addTraceOptions(program.command('queue'))
      .description('a queue on paper, in units of the mean service time')
      .option('--arrivals <process>', 'poisson, gamma:CV, deterministic, or trace (with --trace)', 'poisson')
      .option('--trace <file>', `arrival times of ${traceHelp}, scaled to the load`)
      .option('--limit <n>', 'only the first n requests of the trace', integer(1, 1_000_000_000))
      .option('--service <law>', 'exp, det, h2:P,M1,M2, lognormal:CV, gamma:CV', 'exp')
      .option('--servers <n>', 'servers', integer(1, maxServers), 1)
      .option('--discipline <id>', disciplines.map(({ id }) => id).join(', '), 'fcfs')
      .option('--rho <load>', 'offered load per server', positive(''), 0.8)
      .option('--n <jobs>', 'arrivals measured (default 1,000,000, or the whole trace)', integer(1, maxJobs))
      .option('--seed <n>', 'seed', integer(0, maxSeed), 0)
      .option('--capacity <jobs>', 'most jobs in the system; what comes beyond is lost', integer(1, maxJobs))
      .option('--classes <shares>', 'for priority: 0.3,0.7 or 0.3:1,0.7:4, the most important first')
      .option('--warmup <jobs>', 'arrivals before the measured ones', integer(0, maxJobs))
      .option('--json', 'print one JSON document')
      .action((options: QueueOptions) => run(() => answer(options, terminal)));
  },
};

async function answer(options: QueueOptions, terminal: Terminal): Promise<number> {
  const result = runQueue(await specOf(options, terminal));
  if (options.json === true) terminal.json(result);
  else terminal.print(table(result));
  return 0;
}

async function specOf(options: QueueOptions, terminal: Terminal): Promise<QueueSpec> {
  const { servers, rho, seed, capacity, classes, warmup } = options;
  const isTrace = options.arrivals === 'trace' || options.trace !== undefined;
  if (isTrace && options.trace === undefined)
    throw new InputError('--arrivals trace: expected --trace FILE as well');
  const times =
    options.trace === undefined
      ? undefined
      : (await trafficSource({ traffic: traceSpec(options.trace, options, terminal.note), seed }))(0)
          .arrivalNs;
  return {
    arrivals: times === undefined ? parseArrivals(options.arrivals) : { kind: 'trace', times },
    service: parseService(options.service),
    servers,
    discipline: parseDiscipline(options.discipline),
    rho,
    n: options.n ?? (times === undefined ? 1_000_000 : times.length - (warmup ?? 0)),
    seed,
    ...(capacity === undefined ? {} : { capacity }),
    ...(classes === undefined ? {} : { classes: parseClasses(classes) }),
    ...(warmup === undefined ? {} : { warmup }),
  };
}

function table({ ci95, per_class: classes, ...figures }: QueueResult): string {
  const number = (value: number) => value.toPrecision(6);
  const interval = ([low, high]: readonly [number, number]) => `${number(low)}–${number(high)}`;
  const meanings: Readonly<Record<keyof typeof figures, string>> = {
    wq: 'mean wait',
    w: 'mean time in the system',
    lq: 'mean jobs waiting',
    l: 'mean jobs in the system',
    p50_w: 'time in the system, p50',
    p95_w: 'time in the system, p95',
    p99_w: 'time in the system, p99',
    utilisation: 'busy servers ÷ servers',
    blocked: 'share of arrivals lost',
    n: 'arrivals measured',
  };
  const rows = Object.entries(figures).map(([name, value]) => [
    name,
    name === 'n' ? String(value) : number(value),
    name === 'wq' ? interval(ci95.wq) : name === 'w' ? interval(ci95.w) : '',
    Object.entries(meanings).find(([id]) => id === name)?.[1] ?? '',
  ]);
  const perClass = (classes ?? []).flatMap(({ n, wq, w }, i) => [
    [`class ${i}: wq`, number(wq), '', `of ${n} arrivals`],
    [`class ${i}: w`, number(w), '', ''],
  ]);
  return textTable(
    [
      { title: '' },
      { title: 'value', align: 'right' },
      { title: '95 % CI', align: 'right' },
      { title: 'meaning' },
    ],
    [...rows, ...perClass],
  );
}
