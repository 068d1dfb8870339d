import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import type { Command } from 'commander';
import {
  cachePolicies,
  parseCapacity,
  parsePolicy,
  parseRouting,
  replayTrace,
} from '../../../workloads/cache/replayTrace.ts';
import { formatMetric, withSeparators } from '../../../workloads/metrics/format.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { type TrafficSpec, trafficSpec } from '../../../workloads/run/spec.ts';
import type { Traffic } from '../../../workloads/traffic/traffic.ts';
import { writeAzure, writeMooncake } from '../../../workloads/traffic/writers.ts';
import { fileReason } from '../../shared/openFile.ts';
import { lookAtTraffic, trafficSource } from '../../shared/trafficSource.ts';
import type { CommandLineCommand, Run } from '../commandLine.ts';
import { collect, integer, maxSeed, oneOf, positive } from '../options.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';
import { addTraceOptions, type TraceOptions, traceSpec } from '../traceOptions.ts';

type Format = 'mooncake' | 'azure';

interface Reading extends TraceOptions {
  readonly json?: boolean;
}

const addReading = (command: Command, interval: 'from-to' | 'none' = 'from-to'): Command =>
  addTraceOptions(command, interval)
    .option('--limit <n>', 'only the first n requests', integer(1, 1_000_000_000))
    .option('--speedup <factor>', '2 halves every gap', positive(''))
    .option('--json', 'print one JSON document');

/** Traces: look into one, convert, make one. */
export const trace: CommandLineCommand = {
  name: 'trace',
  register(program, terminal, run) {
    const group = program
      .command('trace')
      .description('traces: inspect, convert, generate, replay through a cache');
    registerInspect(group, terminal, run);
    registerConvert(group, terminal, run);
    registerGenerate(group, terminal, run);
    registerKvHits(group, terminal, run);
  },
};

async function readTrace(
  path: string,
  options: Reading,
  terminal: Terminal,
): Promise<{ traffic: Traffic; spec: TrafficSpec }> {
  const spec = traceSpec(path, options, terminal.note);
  return { spec, traffic: (await trafficSource({ traffic: spec, seed: 0 }))(0) };
}

function registerInspect(group: Command, terminal: Terminal, run: Run): void {
  addReading(
    group.command('inspect <file>').description('requests, tokens, prefixes, rate and lengths of a trace'),
  ).action((path: string, options: Reading) =>
    run(async () => {
      const spec = traceSpec(path, options, terminal.note);
      const sketch = await lookAtTraffic({ traffic: spec, seed: 0 });
      const format = spec.kind === 'trace' ? spec.format : spec.kind;
      if (options.json === true) {
        terminal.json({ format, ...sketch });
        return 0;
      }
      const count = (n: number) => withSeparators(String(n));
      const quantiles = (values: readonly number[]) =>
        [0, 50, 90, 99, 100].map((q) => count(Math.round(values[q] ?? 0))).join(' / ');
      const peak = Math.max(...sketch.arrivals_rps);
      terminal.print(
        textTable(
          [{ title: path }, { title: '' }],
          [
            ['format', format],
            ['requests', count(sketch.requests)],
            ['duration', `${sketch.duration_s.toFixed(1)} s`],
            [
              'rate, mean / peak',
              sketch.rate_rps === undefined
                ? '– (all at one time)'
                : `${formatMetric('arrivals_rps', sketch.rate_rps)} / ${formatMetric('arrivals_rps', peak)}`,
            ],
            ...(sketch.sessions > 0 ? [['sessions', count(sketch.sessions)]] : []),
            ...(sketch.source?.dropped_empty === undefined
              ? []
              : [['dropped: no prompt or output tokens', count(sketch.source.dropped_empty)]]),
            ...(sketch.source?.dropped_oversized === undefined
              ? []
              : [['dropped: longer than any context', count(sketch.source.dropped_oversized)]]),
            ['prompt tokens', count(sketch.prompt_tokens)],
            ['output tokens', count(sketch.output_tokens)],
            ['prompt length min / p50 / p90 / p99 / max', quantiles(sketch.prompt_quantiles)],
            ['output length min / p50 / p90 / p99 / max', quantiles(sketch.output_quantiles)],
            ['block references', count(sketch.block_refs)],
            [
              'distinct blocks',
              sketch.blocks_estimated === true
                ? `about ${count(sketch.unique_blocks)} (estimated, ±0.8 %)`
                : count(sketch.unique_blocks),
            ],
          ],
        ),
      );
      return 0;
    }),
  );
}

/** Writes the pieces to a file beside its name first; `-` is standard output. */
function writePieces(path: string, pieces: Iterable<string>): void {
  if (path === '-') {
    for (const piece of pieces) process.stdout.write(piece);
    return;
  }
  const temporary = `${path}.tmp`;
  try {
    const file = openSync(temporary, 'w');
    try {
      for (const piece of pieces) writeSync(file, piece);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (thrown) {
    rmSync(temporary, { force: true });
    if (thrown instanceof InputError) throw thrown;
    throw new InputError(`${path}: ${fileReason(thrown)}`);
  }
}

const writers = { mooncake: writeMooncake, azure: writeAzure } as const;

function written(
  terminal: Terminal,
  path: string,
  format: Format,
  traffic: Traffic,
  json: boolean | undefined,
): number {
  const { requests } = traffic;
  if (json === true) terminal.json({ path, format, requests });
  else terminal.note(`${path}: ${requests} requests, ${format}`);
  return 0;
}

function registerConvert(group: Command, terminal: Terminal, run: Run): void {
  addReading(group.command('convert <file>').description('from one trace format to another'), 'none')
    .requiredOption('--to <format>', 'mooncake or azure', oneOf('mooncake', 'azure'))
    .requiredOption('-o, --out <file>', 'the file to write; - is standard output')
    .action(
      (
        path: string,
        { to, ...options }: Omit<Reading, 'to'> & { readonly to: Format; readonly out: string },
      ) =>
        run(async () => {
          const { traffic } = await readTrace(path, options, terminal);
          writePieces(options.out, writers[to](traffic));
          return options.out === '-' ? 0 : written(terminal, options.out, to, traffic, options.json);
        }),
    );
}

interface GenerateOptions {
  readonly kind: 'open' | 'lab' | 'synthetic';
  readonly set?: readonly string[];
  readonly seed: number;
  readonly format: Format;
  readonly out: string;
  readonly json?: boolean;
}

const lengths = (median: number, max: number) => ({ kind: 'lognormal', median, sigma: 1, min: 1, max });

const starts = {
  open: {
    rate_rps: 4,
    duration_s: 600,
    prompt: lengths(2000, 32_768),
    output: lengths(200, 4096),
    block_tokens: 512,
  },
  lab: {
    arrivals_per_tick: 0.6,
    prompt: { kind: 'uniform', min: 256, max: 4096 },
    output: { kind: 'uniform', min: 16, max: 512 },
  },
  synthetic: {},
} as const;

function registerGenerate(group: Command, terminal: Terminal, run: Run): void {
  group
    .command('generate')
    .description('generated traffic as a trace file')
    .option('--kind <kind>', 'open, lab or synthetic', oneOf('open', 'lab', 'synthetic'), 'synthetic')
    .option(
      '--set <name=value>',
      'e.g. rate_rps=8, duration_s=600, cv=4, prompt.median=2000; repeatable',
      collect,
    )
    .option('--seed <n>', 'seed', integer(0, maxSeed), 0)
    .option('--format <format>', 'mooncake or azure', oneOf('mooncake', 'azure'), 'mooncake')
    .requiredOption('-o, --out <file>', 'the file to write; - is standard output')
    .option('--json', 'print one JSON document')
    .action((options: GenerateOptions) =>
      run(async () => {
        const traffic = (await trafficSource({ traffic: generatedSpec(options), seed: options.seed }))(0);
        writePieces(options.out, writers[options.format](traffic));
        return options.out === '-'
          ? 0
          : written(terminal, options.out, options.format, traffic, options.json);
      }),
    );
}

function generatedSpec({ kind, set = [] }: GenerateOptions): TrafficSpec {
  const document: Record<string, unknown> = structuredClone({ kind, ...starts[kind] });
  for (const setting of set) {
    const at = setting.indexOf('=');
    if (at <= 0) throw new InputError(`--set ${setting}: expected name=value`);
    const path = setting.slice(0, at).split('.');
    const text = setting.slice(at + 1);
    const value = text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);
    let place: Record<string, unknown> = document;
    path.forEach((name, i) => {
      if (i === path.length - 1) place[name] = value;
      else {
        const next = place[name];
        const inner: Record<string, unknown> = typeof next === 'object' && next !== null ? { ...next } : {};
        place[name] = inner;
        place = inner;
      }
    });
  }
  const parsed = trafficSpec.safeParse(document);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new InputError(`--set ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`);
}

interface KvHitsOptions extends Reading {
  readonly trace: string;
  readonly policy: string;
  readonly pinned?: boolean;
  readonly capacity: string;
  readonly instances?: number;
  readonly routing?: string;
}

function registerKvHits(group: Command, terminal: Terminal, run: Run): void {
  addReading(group.command('kv-hits').description('replays the blocks of a trace through a KV cache alone'))
    .requiredOption('--trace <file>', 'a trace with block ids (Mooncake format)')
    .option('--policy <id>', cachePolicies.map(({ id }) => id).join(', '), 'lru')
    .option('--capacity <blocks>', 'blocks (per instance), or inf', 'inf')
    .option('--instances <n>', 'instances with an lru-prefix cache each', integer(1, 1_000_000))
    .option('--pinned', 'a request’s own blocks are not evicted while it is looked at, as in serving')
    .option('--routing <how>', 'rr, least-tokens, longest-prefix or threshold:X (with --instances)')
    .action((options: KvHitsOptions) =>
      run(async () => {
        const policy = parsePolicy(options.policy);
        const capacity = parseCapacity(options.capacity);
        const routing = options.routing === undefined ? undefined : parseRouting(options.routing);
        if (routing !== undefined && options.instances === undefined)
          throw new InputError(`--routing ${options.routing ?? ''}: expected --instances N as well`);
        const { traffic } = await readTrace(options.trace, options, terminal);
        const result = replayTrace(traffic, {
          policy,
          capacity,
          ...(options.instances === undefined ? {} : { instances: options.instances }),
          ...(routing === undefined ? {} : { routing }),
          ...(options.pinned === true ? { pinned: true } : {}),
        });
        if (options.json === true) {
          terminal.json(result);
          return 0;
        }
        const { per_instance: instances, ...figures } = result;
        terminal.print(
          textTable(
            [{ title: 'figure' }, { title: 'value', align: 'right' }],
            [
              ...Object.entries(figures).map(([name, value]) => [
                name,
                name === 'hit_rate' ? formatMetric('prefix_hit_rate', value) : withSeparators(String(value)),
              ]),
              ...(instances ?? []).map(({ requests, hits }, i) => [
                `instance ${i}`,
                `${requests} requests, ${hits} hits`,
              ]),
            ],
          ),
        );
        return 0;
      }),
    );
}
