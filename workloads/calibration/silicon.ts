import type { CostModel } from '../cost/costModel.ts';
import { HostedCost } from '../cost/hostedCost.ts';
import { MoeCost } from '../cost/moeCost.ts';
import { RooflineCost } from '../cost/rooflineCost.ts';
import { findGpu } from '../hardware/gpus.ts';
import { findModel } from '../model/models.ts';
import { kvBlocksThatFit, type ModelShape } from '../model/shape.ts';
import { nvlinkStepUs } from '../moe/collectives.ts';
import type { CostSpec } from '../run/costSpec.ts';
import { InputError } from '../run/inputError.ts';
import type { MoeSpec } from '../run/moeSpec.ts';
import { forEachLine } from '../traffic/lines.ts';
import type { Ms, Tokens } from '../units.ts';
import { closedLoop } from './closedLoop.ts';

/** One measured configuration: so many clients in a closed loop, all with the same lengths. */
export interface SiliconRow {
  readonly id: string;
  readonly model: ModelShape;
  readonly engine: string;
  readonly version: string;
  /** Of the continuous benchmark, whose lengths are drawn and whose figures are medians. */
  readonly continuous: boolean;
  readonly promptTokens: Tokens;
  readonly outputTokens: Tokens;
  readonly clients: number;
  readonly tensorParallel: number;
  /** GPUs that the experts are divided over; 1: they are divided like every other weight. */
  readonly expertParallel: number;
  /** Data sheet of the card. */
  readonly gpu: string;
  readonly ttft: Ms;
  readonly tpot: Ms;
}

const known: readonly (readonly [prefix: string, id: string])[] = [
  ['Qwen/Qwen3-235B', 'qwen3-235b-a22b'],
  ['Qwen/Qwen3-30B', 'qwen3-30b-a3b'],
  ['Qwen/Qwen3-32B', 'qwen3-32b'],
  ['meta-llama/Llama-3.1-70B', 'llama-3.1-70b'],
  ['meta-llama/Llama-3.3-70B', 'llama-3.1-70b'],
  ['meta-llama/Llama-3.1-8B', 'llama-3.1-8b'],
  ['meta-llama/Meta-Llama-3.1-8B', 'llama-3.1-8b'],
  ['openai/gpt-oss-120b', 'gpt-oss-120b'],
  ['openai/gpt-oss-20b', 'gpt-oss-20b'],
  ['MiniMaxAI/MiniMax-M2', 'minimax-m2'],
  ['deepseek-ai/DeepSeek-R1', 'deepseek-r1'],
  ['deepseek-ai/DeepSeek-V3', 'deepseek-v3'],
  ['moonshotai/Kimi-K2', 'kimi-k2'],
];

/** The built-in shape of a repository, in the precision that was measured; undefined where there is none. */
function shapeOf(path: string, precision: string): ModelShape | undefined {
  const id = known.find(([prefix]) => path.startsWith(prefix))?.[1];
  const shape = id === undefined ? undefined : findModel(id);
  return shape !== undefined && precision === 'fp8' && shape.bytesPerWeight === 2
    ? { ...shape, bytesPerWeight: 1, weightFormat: 'fp8' }
    : shape;
}

const cards: Readonly<Record<string, string>> = {
  h100_sxm: 'h100-sxm',
  h200_sxm: 'h200',
  a100_sxm: 'a100-80gb-sxm',
  b200_sxm: 'b200',
};

/** Reads the measured configurations that the roofline can say something about, and counts the others by their reason. */
export async function readSilicon(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ readonly rows: SiliconRow[]; readonly leftOut: Record<string, number> }> {
  const rows: SiliconRow[] = [];
  const leftOut: Record<string, number> = {};
  const seen = new Set<string>();
  let header: string[] | undefined;
  await forEachLine(name, chunks, (bytes, start, end, number) => {
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] ?? 0);
    const fields = text.split(',');
    if (header === undefined) {
      header = fields;
      return true;
    }
    const columns = header;
    const field = (column: string): string => {
      const at = columns.indexOf(column);
      if (at < 0) throw new InputError(`${name}:1: no column ${column}, expected one`);
      return fields[at] ?? '';
    };
    const leave = (why: string): boolean => {
      leftOut[why] = (leftOut[why] ?? 0) + 1;
      return true;
    };
    // The same measurement is listed under several collections.
    const key = fields.slice(columns.indexOf('backend')).join();
    if (seen.has(key)) return leave('listed twice');
    seen.add(key);
    if (field('mode') !== 'agg') return leave('disaggregated');
    const gpu = cards[field('system')];
    if (gpu === undefined) return leave(`no data sheet of ${field('system')}`);
    if (Number(field('attention_dp_size') || 1) > 1) return leave('attention data parallel');
    const model = shapeOf(field('model_path'), field('precision'));
    if (model === undefined) return leave(`no shape of ${field('model_path')}`);
    const value = (column: string): number => {
      const parsed = Number(field(column));
      if (field(column) !== '' && Number.isFinite(parsed) && parsed > 0) return parsed;
      throw new InputError(`${name}:${number}: ${column} is "${field(column)}", expected a number above 0`);
    };
    rows.push({
      id: field('id'),
      model,
      engine: field('backend'),
      version: field('backend_version'),
      continuous: /^source_file=\d{4}-\d\d-\d\d\.csv/.test(field('silicon_data_source')),
      promptTokens: value('isl'),
      outputTokens: value('osl'),
      clients: value('batch_size'),
      tensorParallel: value('tp_size'),
      expertParallel: Number(field('moe_ep_size')) || 1,
      gpu,
      ttft: value('silicon_ttft_ms'),
      tpot: value('silicon_tpot_ms'),
    });
    return true;
  });
  return { rows, leftOut };
}

/** What all rows share: nothing per row, per model or per precision. */
export interface Terms {
  readonly compute: number;
  readonly memory: number;
  /** Share of the peak that experts' grouped matrices reach beside their padding. */
  readonly expert: number;
  /** Of each kernel beside its arithmetic and traffic. */
  readonly kernelUs: number;
  /** Of each direct all-reduce beside its bytes. */
  readonly reduceUs: number;
  /** Per pass, whatever the engine: input copies and the sampled tokens' way back. */
  readonly gapUs: number;
  /** CPU work per pass, and per sequence in it, by engine. */
  readonly passUs: Readonly<Record<string, number>>;
  readonly sequenceUs: Readonly<Record<string, number>>;
  /** Per request, before its prompt is queued (HTTP, the first event of the stream), by engine. */
  readonly requestMs: Readonly<Record<string, number>>;
  /** And per prompt token: tokenising, reading the body. */
  readonly requestUsPerToken: number;
}

/** How a collection loads its engines. What it does not say was taken from its tools' defaults, before anything was fitted. */
export interface Collection {
  /** Requests per client; all clients start at once. */
  readonly rounds: number;
  /** Lengths are drawn evenly from this share of the stated ones up to them. */
  readonly leastLength: number;
  readonly statistic: 'mean' | 'median';
  readonly maxBatchedTokens: number;
}
const collections = {
  /** Continuous benchmark with vLLM's and SGLang's own load generator: ten requests per client, lengths 0.8 to 1 of the stated ones, medians. */
  continuous: { rounds: 10, leastLength: 0.8, statistic: 'mean', maxBatchedTokens: 8192 },
  /** vLLM under a load generator with fixed lengths. */
  fixed: { rounds: 10, leastLength: 1, statistic: 'mean', maxBatchedTokens: 2048 },
  /** SGLang, one burst. */
  burst: { rounds: 1, leastLength: 1, statistic: 'mean', maxBatchedTokens: 8192 },
} as const satisfies Readonly<Record<string, Collection>>;

const collectionOf = (row: SiliconRow): Collection =>
  row.continuous ? collections.continuous : row.engine === 'sglang' ? collections.burst : collections.fixed;

/** SGLang plans passes ahead since 0.4, vLLM by default since 0.14; rows without a version are older. */
function plansAhead(row: SiliconRow): boolean {
  const [major = 0, minor = 0] = row.version.split('.').map(Number);
  return row.engine !== 'vllm' || major > 0 || minor >= 14;
}

const link = (gpu: string) => {
  const card = findGpu(gpu);
  return card?.nvlink === undefined
    ? { bandwidth_gb_per_s: 51, latency_us: 5 }
    : { bandwidth_gb_per_s: (card.nvlink * 0.4) / 1e9, latency_us: nvlinkStepUs };
};

export function costOfRow(row: SiliconRow, terms: Terms): CostModel {
  const spec: Extract<CostSpec, { kind: 'roofline' }> = {
    kind: 'roofline',
    gpu: row.gpu,
    tensor_parallel: row.tensorParallel,
    compute_efficiency: terms.compute,
    memory_efficiency: terms.memory,
    iteration_overhead_us: terms.gapUs,
    kernel_us: terms.kernelUs,
    expert_efficiency: terms.expert,
    expert_tile: 16,
    activation_traffic: true,
    all_reduce: { among: ['one_shot', 'two_shot', 'ring'], link: link(row.gpu), start_us: terms.reduceUs },
  };
  if (row.expertParallel < 2) return new RooflineCost(spec, row.model);
  const moe: MoeSpec = {
    group: 'engine',
    ranks: row.tensorParallel,
    island: row.tensorParallel,
    gate: { kind: 'zipf', skew: 0.6 },
    routing: 'free',
    placement: 'linear',
    redundant: 0,
    exchange: 'direct',
    dispatch_bytes: 2,
    combine_bytes: 2,
    island_link: link(row.gpu),
    network: { bandwidth_gb_per_s: 43, latency_us: 15 },
    overlap: 'none',
    kernels: { kind: 'grouped' },
    seed: 7,
  };
  return new MoeCost(spec, moe, row.model);
}

export function predict(row: SiliconRow, terms: Terms, most = 10): { ttft: Ms; tpot: Ms } {
  const memory = findGpu(row.gpu)?.memoryBytes ?? 0;
  const { rounds, leastLength, statistic, maxBatchedTokens } = collectionOf(row);
  const ahead = plansAhead(row);
  const { ttft, tpot } = closedLoop({
    cost: new HostedCost(costOfRow(row, terms), {
      us_per_pass: terms.passUs[row.engine] ?? 0,
      us_per_sequence: terms.sequenceUs[row.engine] ?? 0,
      overlapped: ahead,
    }),
    clients: row.clients,
    rounds: Math.min(most, rounds),
    promptTokens: row.promptTokens,
    outputTokens: row.outputTokens,
    leastLength,
    thinkNs: (terms.requestMs[row.engine] ?? 0) * 1e6,
    kvBlocks: Math.max(
      kvBlocksThatFit(row.model, memory, row.tensorParallel, 16),
      Math.ceil((row.promptTokens + row.outputTokens) / 16) + 1,
    ),
    maxBatchedTokens,
    maxSequences: 1024,
    plansAhead: ahead,
    statistic,
  });
  const front = (terms.requestMs[row.engine] ?? 0) + (terms.requestUsPerToken * row.promptTokens) / 1e3;
  return { ttft: ttft + front, tpot };
}
