import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { calibrateToRun, calibrateToTables } from '../../../workloads/calibration/calibrate.ts';
import { calibrateToPasses, type MeasuredPasses } from '../../../workloads/calibration/calibratePasses.ts';
import {
  type Calibration,
  type FitKind,
  fitKinds,
  missedPhases,
  type PhaseFit,
} from '../../../workloads/calibration/fitCost.ts';
import { type MeasuredRequest, readMeasuredRequests } from '../../../workloads/calibration/measuredRun.ts';
import { moeFile } from '../../../workloads/cost/moeTable.ts';
import { operatorFiles, readOperatorTables } from '../../../workloads/cost/operatorTables.ts';
import { findGpu, gpus } from '../../../workloads/hardware/gpus.ts';
import type { ModelShape } from '../../../workloads/model/shape.ts';
import { measuredRequests } from '../../../workloads/results/measuredRequests.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { GroupLinkSpec, MoeSpec } from '../../../workloads/run/moeSpec.ts';
import { bundleTables } from '../../host/captures/trace/bundleTables.ts';
import { bundleRequests } from '../../host/runs/bundleRequests.ts';
import { readManifest } from '../../host/store/manifest.ts';
import { runsFolder } from '../../host/store/runsFolder.ts';
import { requireServing } from '../../shared/kinds/runKind.ts';
import { modelNamed } from '../../shared/modelFile.ts';
import { checkReadable, openBytes } from '../../shared/openFile.ts';
import { looksLikeResultText, readResultFile } from '../../shared/results/readResultFile.ts';
import { calibrateOnGpu } from '../calibrateGpu.ts';
import { didYouMean } from '../closest.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { integer, number, oneOf } from '../options.ts';
import { weightsOf } from '../placementOptions.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';

interface CalibrateOptions {
  readonly gpu?: string;
  readonly model?: string;
  readonly run?: string;
  readonly instance: number;
  readonly fit: FitKind;
  readonly tensorParallel: number;
  readonly dataParallel: number;
  readonly expertParallel?: boolean;
  readonly linkGbPerS?: number;
  readonly linkLatencyUs: number;
  readonly accept: number;
  readonly tables?: string;
  readonly requests?: string;
  readonly kvBlocks?: number;
  readonly blockTokens: number;
  readonly maxSequences: number;
  readonly maxBatchedTokens: number;
  readonly fromGpu?: boolean;
  readonly device: number;
  readonly weights?: string;
  readonly precision?: string;
  readonly out?: string;
  readonly json?: boolean;
}

/** Fits a cost model to what was measured, and says how good the fit is where it was not fitted. */
export const calibrate: CommandLineCommand = {
  name: 'calibrate',
  register(program, terminal, run) {
    program
      .command('calibrate')
      .description('fit a cost model to measured operators, to a run, or to the requests of an engine')
      .option('--gpu <id>', 'data sheet, e.g. rtx-4090; of a run its own where it names one')
      .option('--model <id>', 'model shape, e.g. llama-3.1-8b; of a run its own')
      .option(
        '--fit <form>',
        'roofline (efficiencies) or linear (coefficients)',
        oneOf(...fitKinds),
        'roofline',
      )
      .option('--tensor-parallel <n>', 'GPUs of the group', integer(1, 64), 1)
      .option('--data-parallel <n>', 'engines behind one balancer (with --requests)', integer(1, 64), 1)
      .option('--expert-parallel', 'experts are divided over all GPUs of the engine (with --requests)')
      .option(
        '--link-gb-per-s <n>',
        'what the GPUs of the group talk over, one direction',
        number(0.001, 1e5),
      )
      .option('--link-latency-us <n>', 'what a message costs beside its bytes', number(0, 1e6), 5)
      .option('--accept <share>', 'largest median error of the held-out part, per phase', number(0, 10), 0.25)
      .option('--tables <folder>', `${Object.values(operatorFiles).join(', ')}`)
      .option('--run <run>', 'a run (id or bundle folder) that wrote its passes')
      .option('--instance <n>', 'the instance of the run', integer(0, 100_000), 0)
      .option('--requests <file>', 'requests.jsonl of a measured run, or the result of a load generator')
      .option('--kv-blocks <n>', 'KV blocks of the engine (with --requests)', integer(1, 1e9))
      .option('--block-tokens <n>', 'tokens of a KV block', integer(1, 65_536), 16)
      .option('--max-sequences <n>', 'max_num_seqs of the engine', integer(1, 1e6), 256)
      .option('--max-batched-tokens <n>', 'max_num_batched_tokens of the engine', integer(1, 1e6), 2048)
      .option(
        '--from-gpu',
        'measure operator tables of --model on a GPU of this machine (minutes; goes on where it was stopped)',
      )
      .option('--device <n>', 'CUDA ordinal of the GPU (with --from-gpu)', integer(0, 1023), 0)
      .option('--weights <source>', 'random:SEED or a folder with safetensors (with --from-gpu)')
      .option('--precision <format>', 'bf16 or fp8 weights (with --from-gpu)')
      .option('--out <folder>', 'where the tables go (with --from-gpu)')
      .option('--json', 'print one JSON document')
      .action((options: CalibrateOptions) => run(() => answer(options, terminal)));
  },
};

async function answer(options: CalibrateOptions, terminal: Terminal): Promise<number> {
  if (options.fromGpu === true) return fromGpu(options, terminal);
  const sources = [options.tables, options.run, options.requests].filter((source) => source !== undefined);
  if (sources.length !== 1)
    throw new InputError('expected one of --tables FOLDER, --run RUN or --requests FILE');
  const result =
    options.run !== undefined
      ? await toPasses(options, options.run)
      : options.tables !== undefined
        ? calibrateToTables(
            gpuOf(options.gpu),
            modelOf(options.model).id,
            options.tensorParallel,
            await tablesOf(options.tables, terminal),
            options.fit,
            undefined,
            linkOf(options),
          )
        : toRun(options, await requestsOf(options.requests ?? ''));
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const missed = missedPhases(result, options.accept);
  if (missed.length > 0) {
    const figures = missed.map(({ phase, median }) => `${phase} ${percent(median)}`).join(', ');
    terminal.note(
      `error: the fit misses what it was not fitted to: ${figures} in the median, more than ${percent(options.accept)} (--accept). ` +
        'Check that --tensor-parallel, --data-parallel, --expert-parallel, --kv-blocks and the batch limits are those of the engine.',
    );
  }
  const status = missed.length > 0 ? 1 : 0;
  if (options.json === true) {
    terminal.json({ ...result, accepted: missed.length === 0 });
    return status;
  }
  const row = (part: string) => (phase: PhaseFit) => [
    phase.phase,
    part,
    String(phase.points),
    percent(phase.median),
    percent(phase.p90),
  ];
  terminal.print(
    textTable(
      [
        { title: 'phase' },
        { title: 'part' },
        { title: 'points', align: 'right' },
        { title: 'median error', align: 'right' },
        { title: 'p90', align: 'right' },
      ],
      [...result.fitted.map(row('fitted')), ...result.heldOut.map(row('held out'))],
    ),
  );
  if (status === 0)
    terminal.print(`\nFor an instance's cost in a run spec:\n${JSON.stringify(result.cost, null, 2)}`);
  return status;
}

async function fromGpu(options: CalibrateOptions, terminal: Terminal): Promise<number> {
  const { out, precision = 'bf16', model } = options;
  if (out === undefined) throw new InputError('--out: absent, expected a folder for the tables');
  if (precision !== 'bf16' && precision !== 'fp8')
    throw new InputError(`--precision ${precision}: expected bf16 or fp8`);
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  process.once('SIGINT', interrupt);
  try {
    const found = await calibrateOnGpu(
      {
        folder: out,
        model: modelOf(model).id,
        device: options.device,
        weights: weightsOf(options.weights, model),
        precision,
        maxSequences: options.maxSequences,
        maxBatchedTokens: Math.max(options.maxBatchedTokens, 8192),
      },
      abort.signal,
    );
    if (options.json === true) terminal.json(found);
    else {
      terminal.print(
        found.interrupted
          ? `${found.points} passes are measured; the same command goes on`
          : `${found.points} passes of ${model ?? ''} measured on ${found.card} (${found.measuredNow} of them now), ${found.cost.iteration_overhead_us.toFixed(0)} µs from one to the next\n\nFor an instance's cost in a run spec:\n${JSON.stringify(found.cost, null, 2)}`,
      );
    }
    return found.interrupted ? 130 : 0;
  } finally {
    process.off('SIGINT', interrupt);
  }
}

function gpuOf(gpu: string | undefined): string {
  if (gpu !== undefined && findGpu(gpu) !== undefined) return gpu;
  throw new InputError(
    `--gpu${gpu === undefined ? '' : ` ${gpu}`}: expected one of ${gpus.map(({ id }) => id).join(', ')}`,
  );
}

function modelOf(id: string | undefined): ModelShape {
  if (id === undefined)
    throw new InputError('--model: absent, expected one of `dyno models`, or a config.json');
  return modelNamed(id, '--model', (ids) => didYouMean(id, ids));
}

/** The passes that a run wrote down, of one of its instances. */
async function toPasses(options: CalibrateOptions, run: string): Promise<Calibration> {
  const folder = existsSync(join(resolve(run), 'manifest.json')) ? resolve(run) : join(runsFolder(), run);
  if (!existsSync(join(folder, 'manifest.json')))
    throw new InputError(`--run ${run}: no such bundle folder, and no run of that id in ${runsFolder()}`);
  const spec = requireServing((await readManifest(folder)).spec, `--run ${run}`);
  const instance = spec.cluster.instances[options.instance];
  if (instance === undefined) {
    throw new InputError(
      `--instance ${options.instance}: the run has ${spec.cluster.instances.length} instances, from 0`,
    );
  }
  // A server tells nothing of its passes: its requests are all there is.
  if (instance.serves === 'server')
    return toRun(options, measuredRequests(run, (await bundleRequests(folder)).requests, spec.parameters));
  if (instance.serves !== 'modelled')
    throw new InputError(
      `--run ${run}: ${instance.name} was served by a ${instance.serves}, expected a simulated run or one of servers`,
    );
  const { cost } = instance;
  const card = cost.kind === 'roofline' ? { gpu: cost.gpu, tensorParallel: cost.tensor_parallel } : undefined;
  const gpu = options.gpu ?? card?.gpu;
  const rows: MeasuredPasses[] = [];
  for await (const chunk of bundleTables(folder).iterations()) {
    const column = (name: string): ArrayLike<number> => chunk.numbers(name) ?? new Float64Array(chunk.rows);
    const [of, start, end] = [column('instance'), column('start_ns'), column('end_ns')];
    const [passes, prompt] = [column('passes'), column('prefill_tokens')];
    const [decoding, context] = [column('decode_sequences'), column('context_tokens')];
    for (let i = 0; i < chunk.rows; i++) {
      if (of[i] !== options.instance) continue;
      rows.push({
        passes: passes[i] ?? 0,
        ns: (end[i] ?? 0) - (start[i] ?? 0),
        prefillTokens: prompt[i] ?? 0,
        decodeSequences: decoding[i] ?? 0,
        contextTokens: context[i] ?? 0,
      });
    }
  }
  return calibrateToPasses(
    options.fit,
    {
      // Coefficients need no card.
      gpu: options.fit === 'linear' ? '' : gpuOf(gpu),
      tensorParallel: card?.tensorParallel ?? options.tensorParallel,
      model: modelOf(options.model ?? spec.cluster.model),
    },
    rows,
  );
}

function toRun(options: CalibrateOptions, requests: readonly MeasuredRequest[]): Calibration {
  if (options.kvBlocks === undefined)
    throw new InputError(
      'measured requests need --kv-blocks: the engine prints it when it starts (num_gpu_blocks)',
    );
  if (options.fit !== 'roofline')
    throw new InputError(
      `--fit ${options.fit}: requests alone do not say how long passes took, expected roofline (or --tables, --run)`,
    );
  return calibrateToRun(
    gpuOf(options.gpu),
    options.tensorParallel,
    {
      model: modelOf(options.model).id,
      kvBlocks: options.kvBlocks,
      blockTokens: options.blockTokens,
      maxSequences: options.maxSequences,
      maxBatchedTokens: options.maxBatchedTokens,
      ...(options.dataParallel > 1 ? { dataParallel: options.dataParallel } : {}),
    },
    requests,
    undefined,
    expertsOf(options),
  );
}

const linkOf = ({ linkGbPerS, linkLatencyUs }: CalibrateOptions): GroupLinkSpec | undefined =>
  linkGbPerS === undefined ? undefined : { bandwidth_gb_per_s: linkGbPerS, latency_us: linkLatencyUs };

/** Data-parallel engines with experts exchange tokens in every sparse layer: they run in lockstep. */
function expertsOf(options: CalibrateOptions): MoeSpec | undefined {
  const { tensorParallel, dataParallel, expertParallel } = options;
  if (modelOf(options.model).experts === undefined) {
    if (expertParallel === true)
      throw new InputError(
        `--expert-parallel: ${options.model} has no experts, expected a mixture of experts`,
      );
    return undefined;
  }
  const ranks = tensorParallel * dataParallel;
  if (ranks === 1 || (dataParallel === 1 && expertParallel !== true)) return undefined;
  const link = linkOf(options);
  if (link === undefined)
    throw new InputError(
      'experts on several GPUs need --link-gb-per-s: tokens travel between them in each layer',
    );
  return {
    group: 'engine',
    ranks,
    island: ranks,
    gate: { kind: 'zipf', skew: 0 },
    routing: 'free',
    placement: 'linear',
    redundant: 0,
    exchange: 'all_gather',
    dispatch_bytes: 2,
    combine_bytes: 2,
    island_link: link,
    network: link,
    overlap: 'none',
    kernels: { kind: 'grouped' },
    seed: 7,
  };
}

/** Requests of an engine's own file, or of the result of a load generator. */
async function requestsOf(path: string): Promise<MeasuredRequest[]> {
  checkReadable(path, 'requests of a measured run (JSON lines)');
  if (!looksLikeResultText(startOf(path))) return readMeasuredRequests(path, openBytes(path));
  const results = await readResultFile(path);
  const [result] = results;
  if (results.length > 1)
    throw new InputError(`${path}: it holds ${results.length} benchmarks, expected a file with one`);
  return measuredRequests(path, result?.requests ?? [], result?.settings);
}

/** The first 64 KiB of a file. */
function startOf(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(65_536);
    return bytes.toString('utf8', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

async function tablesOf(folder: string, terminal: Terminal) {
  if (!existsSync(`${folder}/op-meta.yaml`))
    terminal.note(
      `${folder}: no op-meta.yaml, so what uneven contexts cost decode attention is not known and counts as nothing (about 2 % of TPOT)`,
    );
  for (const file of Object.values(operatorFiles))
    checkReadable(`${folder}/${file}`, 'an operator table (CSV)');
  return readOperatorTables(
    folder,
    (file) => openBytes(`${folder}/${file}`),
    existsSync(`${folder}/${moeFile}`),
  );
}
