import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isKernelSpec } from '../../../workloads/kernels/kernelSpec.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { metricLabel } from '../../../workloads/metrics/registry.ts';
import { summaryFigures } from '../../../workloads/metrics/summaryFigures.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { ModelledInstance } from '../../../workloads/run/instanceSpec.ts';
import type { RunSpec } from '../../../workloads/run/spec.ts';
import type { Summary } from '../../../workloads/run/summary.ts';
import { readManifest } from '../../host/store/manifest.ts';
import { runsFolder } from '../../host/store/runsFolder.ts';
import { pinOperatorTables } from '../../shared/operatorSource.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { withSession } from '../session.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';
import { unfinished } from '../unfinished.ts';
import { summaryOf } from './bench.ts';

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
  const found: unknown = JSON.parse(readFileSync(file, 'utf8'));
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

const compared = ['ttft_ms', 'tpot_ms', 'e2e_ms'].flatMap((metric) =>
  ['mean', 'p50', 'p95', 'p99'].map((part) => `${metric}.${part}`),
);

async function answer(id: string, options: PredictOptions, terminal: Terminal): Promise<number> {
  const folder = resolve(options.tables);
  const meta = metaOf(folder);
  const bundle = existsSync(join(resolve(id), 'manifest.json'))
    ? resolve(id)
    : join(options.out === undefined ? runsFolder() : resolve(options.out), id);
  if (!existsSync(join(bundle, 'manifest.json'))) throw new InputError(`predict ${id}: no such run`);
  const { spec } = await readManifest(bundle);
  if (isKernelSpec(spec))
    throw new InputError(`predict ${id}: it measured kernels, expected a run that served requests`);
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
  const measured: unknown = JSON.parse(readFileSync(join(bundle, 'summary.json'), 'utf8'));
  return withSession(options, async (session) => {
    const job = await session.runToEnd(`${spec.target}: predicted`, [predicted], 'max');
    const run = job.runs[0]?.run;
    if (job.state !== 'done' || run === undefined) return unfinished(job, session, {}, terminal);
    const found = errorsOf(
      summaryFigures(measured as Summary),
      summaryFigures(await summaryOf(session, run)),
    );
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

export function errorsOf(
  measured: ReadonlyMap<string, number>,
  predicted: ReadonlyMap<string, number>,
): PredictionError[] {
  return compared.flatMap((metric) => {
    const [m, p] = [measured.get(metric), predicted.get(metric)];
    return m === undefined || p === undefined || m === 0
      ? []
      : [{ metric, measured: m, predicted: p, error: p / m - 1 }];
  });
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
