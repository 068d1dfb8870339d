import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { quantileOfSorted } from '../../../workloads/metrics/percentile.ts';
import { metricLabel } from '../../../workloads/metrics/registry.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { ModelledInstance } from '../../../workloads/run/instanceSpec.ts';
import type { RunSpec } from '../../../workloads/run/spec.ts';
import { bundleTables } from '../../host/captures/trace/bundleTables.ts';
import { readManifest } from '../../host/store/manifest.ts';
import { runsFolder } from '../../host/store/runsFolder.ts';
import { requireServing } from '../../shared/kinds/runKind.ts';
import { readJson } from '../../shared/openFile.ts';
import { pinOperatorTables } from '../../shared/operatorSource.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { withSession } from '../session.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';
import { unfinished } from '../unfinished.ts';

interface PredictOptions {
  readonly tables: string;
  readonly json?: boolean;
  readonly out?: string;
}

/** The simulator serves what a GPU has served, with operator tables of that card: both beside each other, with the errors. */
export const predict: CommandLineCommand = {
  name: 'predict',
  register(program, terminal, run) {
    program
      .command('predict <run>')
      .description(
        'simulate a run that engine cuda measured, from `calibrate --from-gpu` tables, and say how far off it is',
      )
      .requiredOption('--tables <folder>', 'the folder that `calibrate --from-gpu --out` wrote')
      .option('--out <folder>', 'where run bundles are (else the runs folder)')
      .option('--json', 'print one JSON document')
      .action((id: string, options: PredictOptions) => run(() => answer(id, options, terminal)));
  },
};

/** The spec of a measured run on the simulator, its passes priced by the tables. Throws InputError. */
export function predictedSpec(spec: RunSpec, folder: string, overheadUs: number): RunSpec {
  const instances = spec.cluster.instances.map((instance): ModelledInstance => {
    if (instance.serves !== 'gpu') {
      throw new InputError(
        `predict: instance ${instance.name} serves ${instance.serves}, expected a run of engine cuda`,
      );
    }
    const { name, pool, model, hourly_cost, kv_blocks } = instance;
    return {
      name,
      pool,
      ...(model === undefined ? {} : { model }),
      ...(hourly_cost === undefined ? {} : { hourly_cost }),
      serves: 'modelled',
      cost: {
        kind: 'operators',
        path: folder,
        tensor_parallel: 1,
        iteration_overhead_us: overheadUs,
        skew: 0,
        graph_tokens: 0,
      },
      kv_blocks,
    };
  });
  return pinOperatorTables({ ...spec, engine: 'sim', cluster: { ...spec.cluster, instances } });
}

interface Meta {
  readonly model: string;
  readonly card: string;
  readonly iteration_overhead_us: number;
}

function metaOf(folder: string): Meta {
  const file = join(folder, 'meta.json');
  if (!existsSync(file))
    throw new InputError(`${file}: no such file, expected a folder of \`calibrate --from-gpu\``);
  const found: unknown = readJson(file, 'what `dyno calibrate` wrote of its measurement (JSON)');
  const field = (name: string): unknown =>
    typeof found === 'object' && found !== null ? Reflect.get(found, name) : undefined;
  const [model, card, overhead] = [field('model'), field('card'), field('iteration_overhead_us')];
  if (typeof model !== 'string' || typeof card !== 'string' || typeof overhead !== 'number') {
    throw new InputError(
      `${file}: its measurement did not end, expected card and iteration_overhead_us; run calibrate again`,
    );
  }
  return { model, card, iteration_overhead_us: overhead };
}

const latencies = ['ttft_ms', 'tpot_ms', 'e2e_ms'] as const;
type Latencies = Readonly<Record<(typeof latencies)[number], number>>;

/** Latencies of the completed requests of a run, by replicate and request. */
async function completedIn(folder: string): Promise<Map<string, Latencies>> {
  const found = new Map<string, Latencies>();
  for await (const rows of bundleTables(folder).requests()) {
    const status = rows.texts('status') ?? [];
    const column = (name: string) => rows.numbers(name) ?? new Float64Array(rows.rows).fill(Number.NaN);
    const [iteration, request] = [column('iteration'), column('request')];
    const [ttft, tpot, e2e] = [column('ttft_ms'), column('tpot_ms'), column('e2e_ms')];
    for (let i = 0; i < rows.rows; i++) {
      if (status[i] !== 'completed') continue;
      found.set(`${iteration[i]}/${request[i]}`, {
        ttft_ms: ttft[i] ?? Number.NaN,
        tpot_ms: tpot[i] ?? Number.NaN,
        e2e_ms: e2e[i] ?? Number.NaN,
      });
    }
  }
  return found;
}

async function answer(id: string, options: PredictOptions, terminal: Terminal): Promise<number> {
  const folder = resolve(options.tables);
  const meta = metaOf(folder);
  const bundle = existsSync(join(resolve(id), 'manifest.json'))
    ? resolve(id)
    : join(options.out === undefined ? runsFolder() : resolve(options.out), id);
  if (!existsSync(join(bundle, 'manifest.json'))) throw new InputError(`predict ${id}: no such run`);
  const spec = requireServing((await readManifest(bundle)).spec, `predict ${id}`);
  const predicted = predictedSpec(spec, folder, meta.iteration_overhead_us);
  const other = spec.cluster.instances
    .map(({ model }) => model ?? spec.cluster.model)
    .find((model) => model !== meta.model);
  if (other !== undefined)
    throw new InputError(`--tables ${folder}: measured of ${meta.model}, the run serves ${other}`);
  const devices = spec.cluster.instances.flatMap((instance) =>
    instance.serves === 'gpu' ? [instance.device] : [],
  );
  const shares = new Set(devices).size < devices.length;
  return withSession(options, async (session) => {
    const job = await session.runToEnd(`${spec.target}: predicted`, [predicted], 'max');
    const run = job.runs[0]?.run;
    if (job.state !== 'done' || run === undefined) return unfinished(job, session, {}, terminal);
    const found = errorsOf(await completedIn(bundle), await completedIn(session.host.folderOf(run)));
    const notes = shares
      ? [
          'instances share a GPU: the simulator takes each of them to have it alone, so what they lose to each other is missing',
        ]
      : [];
    if (options.json === true) {
      terminal.json({ measured: id, predicted: run, tables: folder, card: meta.card, errors: found, notes });
      return 0;
    }
    terminal.print(
      [
        textTable(
          [
            { title: 'metric' },
            { title: 'measured', align: 'right' },
            { title: 'predicted', align: 'right' },
            { title: 'error', align: 'right' },
          ],
          found.map(({ metric, measured: m, predicted: p, error }) => [
            metricLabel(metric),
            formatMetric(metric, m),
            formatMetric(metric, p),
            `${error > 0 ? '+' : ''}${(100 * error).toFixed(1)} %`,
          ]),
        ),
        '',
        `median error ${(100 * middle(found.map(({ error }) => Math.abs(error)))).toFixed(1)} % over ${found.length} figures, simulated from passes measured on ${meta.card}`,
        ...notes.map((note) => `note: ${note}`),
      ].join('\n'),
    );
    terminal.note(
      `predicted run: ${session.host.folderOf(run)}; \`dyno compare ${id} ${run}\` lays them side by side`,
    );
    return 0;
  });
}

export interface PredictionError {
  readonly metric: string;
  readonly measured: number;
  readonly predicted: number;
  /** predicted ÷ measured − 1 */
  readonly error: number;
}

/** Errors over the requests that both runs completed: of mean and percentiles, and the median of each request's own. */
export function errorsOf(
  measured: ReadonlyMap<string, Latencies>,
  predicted: ReadonlyMap<string, Latencies>,
): PredictionError[] {
  const pairs = [...measured].flatMap(([key, m]) => {
    const p = predicted.get(key);
    return p === undefined ? [] : [[m, p] as const];
  });
  return latencies.flatMap((metric) => {
    const both = pairs
      .map(([m, p]) => [m[metric], p[metric]] as const)
      .filter(([m, p]) => Number.isFinite(m) && Number.isFinite(p) && m > 0);
    if (both.length === 0) return [];
    const [ms, ps] = [both.map(([m]) => m), both.map(([, p]) => p)];
    const figure = (part: string, of: (values: number[]) => number): PredictionError => {
      const [m, p] = [of(ms), of(ps)];
      return { metric: `${metric}.${part}`, measured: m, predicted: p, error: p / m - 1 };
    };
    const at = (share: number) => (values: number[]) =>
      quantileOfSorted(Float64Array.from(values).sort(), share);
    return [
      figure('mean', (values) => values.reduce((sum, value) => sum + value, 0) / values.length),
      figure('p50', at(0.5)),
      figure('p95', at(0.95)),
      figure('p99', at(0.99)),
    ];
  });
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
