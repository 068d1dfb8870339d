import { RooflineCost } from '../cost/rooflineCost.ts';
import { findGpu } from '../hardware/gpus.ts';
import { quantile } from '../metrics/percentile.ts';
import { findModel } from '../model/models.ts';
import { kvBlocksThatFit, type ModelShape } from '../model/shape.ts';
import { InputError } from '../run/inputError.ts';
import { forEachLine } from '../traffic/lines.ts';
import type { Ms, Tokens } from '../units.ts';
import { closedLoop } from './closedLoop.ts';
import { type Bounded, nelderMead } from './nelderMead.ts';

/** One measured configuration: so many clients in a closed loop, all with the same lengths. */
export interface SiliconRow {
  readonly id: string;
  readonly model: ModelShape;
  readonly engine: string;
  readonly promptTokens: Tokens;
  readonly outputTokens: Tokens;
  readonly clients: number;
  readonly tensorParallel: number;
  readonly ttft: Ms;
  readonly tpot: Ms;
}

function shapeOf(path: string, precision: string): ModelShape | undefined {
  if (path === 'Qwen/Qwen3-32B') {
    const shape = findModel('qwen3-32b');
    return precision === 'fp8' && shape !== undefined ? { ...shape, bytesPerWeight: 1 } : shape;
  }
  if (path === 'meta-llama/Llama-3.1-70B') return findModel('llama-3.1-70b-fp8');
  return path === 'openai/gpt-oss-120b' ? findModel('gpt-oss-120b') : undefined;
}

/** Reads the measured configurations that the roofline can say something about, and counts the others by their reason. */
export async function readSilicon(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ readonly rows: SiliconRow[]; readonly leftOut: Record<string, number> }> {
  const rows: SiliconRow[] = [];
  const leftOut: Record<string, number> = {};
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
    if (field('mode') !== 'agg') return leave('disaggregated');
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
      promptTokens: value('isl'),
      outputTokens: value('osl'),
      clients: value('batch_size'),
      tensorParallel: value('tp_size'),
      ttft: value('silicon_ttft_ms'),
      tpot: value('silicon_tpot_ms'),
    });
    return true;
  });
  return { rows, leftOut };
}

/** What all rows share: nothing per row, per model or per precision. */
export interface Efficiencies {
  readonly compute: number;
  readonly memory: number;
  /** Per pass, by engine. */
  readonly overheadUs: Readonly<Record<string, number>>;
  /** Per layer and pass: launches and tails of its kernels. */
  readonly layerUs: number;
  /** Per all-reduce and doubling of the group, beyond what the link's data sheet says. */
  readonly reduceUs: number;
  /** Share of the peak that experts' grouped matrices reach. */
  readonly expert: number;
  /** Per request, before its prompt is queued: HTTP, the first event of the stream. */
  readonly requestMs: number;
  /** And per prompt token: tokenising, reading the body. */
  readonly requestUsPerToken: number;
  /**
   * By engine, since each has one source: the share of requests that were sent in the opening burst, all clients at once.
   * The others come from clients that have long been out of step. 1: one request per client; ¼: about four.
   */
  readonly burstShare: Readonly<Record<string, number>>;
}

const gpu = 'h100-sxm';

export function predict(row: SiliconRow, global: Efficiencies): { ttft: Ms; tpot: Ms } {
  const cost = new RooflineCost(
    {
      kind: 'roofline',
      gpu,
      tensor_parallel: row.tensorParallel,
      compute_efficiency: global.compute,
      memory_efficiency: global.memory,
      iteration_overhead_us:
        (global.overheadUs[row.engine] ?? 0) +
        row.model.layers * (global.layerUs + 2 * global.reduceUs * Math.log2(row.tensorParallel)),
      expert_efficiency: global.expert,
      activation_traffic: true,
    },
    row.model,
  );
  const memory = findGpu(gpu)?.memoryBytes ?? 0;
  const loop = {
    cost,
    clients: row.clients,
    rounds: 1,
    promptTokens: row.promptTokens,
    outputTokens: row.outputTokens,
    kvBlocks: Math.max(
      kvBlocksThatFit(row.model, memory, row.tensorParallel, 16),
      Math.ceil((row.promptTokens + row.outputTokens) / 16) + 1,
    ),
    maxBatchedTokens: 8192,
    maxSequences: 1024,
    apartNs: 0,
  };
  const together = closedLoop(loop);
  const alone = together.ttft / row.clients + together.tpot * (row.outputTokens - 1);
  const apart = closedLoop({ ...loop, rounds: 3, apartNs: (alone * 1e6) / row.clients });
  const share = global.burstShare[row.engine] ?? 0;
  return {
    ttft:
      global.requestMs +
      (global.requestUsPerToken * row.promptTokens) / 1e3 +
      share * together.ttft +
      (1 - share) * apart.ttft,
    tpot: share * together.tpot + (1 - share) * apart.tpot,
  };
}

/** Which half a row is in: a hash of its name (FNV-1a), so that adding rows moves none. */
export function half(id: string): 'fit' | 'test' {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return ((hash >>> 15) & 1) === 0 ? 'fit' : 'test';
}

export interface HalfError {
  readonly rows: number;
  /** Median |predicted ÷ measured − 1|. */
  readonly ttft: number;
  readonly tpot: number;
}

export function errors(rows: readonly SiliconRow[], global: Efficiencies): HalfError {
  const both = rows.map((row) => ({ row, at: predict(row, global) }));
  return {
    rows: rows.length,
    ttft: quantile(
      both.map(({ row, at }) => Math.abs(at.ttft / row.ttft - 1)),
      0.5,
    ),
    tpot: quantile(
      both.map(({ row, at }) => Math.abs(at.tpot / row.tpot - 1)),
      0.5,
    ),
  };
}

const rounds = 5;

/** Fits the shared efficiencies to one half: the sum of |log(predicted ÷ measured)| of both metrics. */
export function fitSilicon(
  rows: readonly SiliconRow[],
  steps: number,
  keeps: (row: SiliconRow) => boolean = ({ id }) => half(id) === 'fit',
): Efficiencies {
  const own = rows.filter(keeps);
  const engines = [...new Set(own.map(({ engine }) => engine))].sort();
  const efficiencies = ([
    compute = 0,
    memory = 0,
    layerUs = 0,
    reduceUs = 0,
    requestMs = 0,
    requestUsPerToken = 0,
    expert = 0,
    ...perEngine
  ]: readonly number[]): Efficiencies => ({
    compute,
    memory,
    layerUs,
    reduceUs,
    requestMs,
    requestUsPerToken,
    expert,
    overheadUs: Object.fromEntries(engines.map((engine, i) => [engine, perEngine[2 * i] ?? 0])),
    burstShare: Object.fromEntries(engines.map((engine, i) => [engine, perEngine[2 * i + 1] ?? 0])),
  });
  const miss = (candidate: readonly number[]): number => {
    const global = efficiencies(candidate);
    let sum = 0;
    for (const row of own) {
      const at = predict(row, global);
      sum += Math.abs(Math.log(at.ttft / row.ttft)) + Math.abs(Math.log(at.tpot / row.tpot));
    }
    return sum;
  };
  let bounds: readonly Bounded[] = [
    { low: 0.1, high: 1, start: 0.6 },
    { low: 0.1, high: 1, start: 0.7 },
    { low: 0, high: 30, start: 5 },
    { low: 0, high: 30, start: 2 },
    { low: 0, high: 200, start: 20 },
    { low: 0, high: 50, start: 5 },
    { low: 0.05, high: 1, start: 0.4 },
    ...engines.flatMap(() => [
      { low: 0, high: 10_000, start: 1000 },
      { low: 0, high: 1, start: 0.5 },
    ]),
  ];
  // A simplex in a dozen dimensions flattens before it has arrived: begun again from where it stopped, it goes on.
  for (let round = 0; round < rounds; round++) {
    const { point } = nelderMead(miss, bounds, Math.ceil(steps / rounds));
    bounds = bounds.map((bound, i) => ({ ...bound, start: point[i] ?? bound.start }));
  }
  return efficiencies(bounds.map(({ start }) => start));
}
