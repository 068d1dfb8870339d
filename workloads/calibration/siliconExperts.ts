import { MoeCost } from '../cost/moeCost.ts';
import { quantile } from '../metrics/percentile.ts';
import { findModel } from '../model/models.ts';
import { InputError } from '../run/inputError.ts';
import type { MoeSpec } from '../run/moeSpec.ts';
import { forEachLine } from '../traffic/lines.ts';
import type { Ms, Tokens } from '../units.ts';
import { closedLoop } from './closedLoop.ts';

/** One measured configuration of a mixture of experts whose experts were divided over the GPUs of one engine. */
export interface ExpertRow {
  readonly promptTokens: Tokens;
  readonly outputTokens: Tokens;
  readonly clients: number;
  readonly ranks: number;
  readonly tpot: Ms;
}

/**
 * MiniMax-M2.5 (the shape of M2) on H100, vLLM, FP8: tensor-parallel attention, experts divided over the same GPUs. Rows with
 * data-parallel attention are left out: they give four times the GPUs the same times as a quarter of the clients on one replica, to
 * a percent, so what their batch size counts is unclear.
 */
export async function readExpertRows(name: string, chunks: AsyncIterable<Uint8Array>): Promise<ExpertRow[]> {
  const rows: ExpertRow[] = [];
  let header: readonly string[] | undefined;
  await forEachLine(name, chunks, (bytes, start, end, number) => {
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] ?? 0);
    const fields = text.trim().split(',');
    if (header === undefined) {
      header = fields;
      return true;
    }
    const columns = header;
    const field = (column: string): string => fields[columns.indexOf(column)] ?? '';
    if (!field('model_path').startsWith('MiniMaxAI/MiniMax-M2') || Number(field('attention_dp_size')) > 1)
      return true;
    const value = (column: string): number => {
      const parsed = Number(field(column));
      if (field(column) !== '' && Number.isFinite(parsed) && parsed > 0) return parsed;
      throw new InputError(`${name}:${number}: ${column} is "${field(column)}", expected a number above 0`);
    };
    rows.push({
      promptTokens: value('isl'),
      outputTokens: value('osl'),
      clients: value('batch_size'),
      ranks: value('moe_ep_size'),
      tpot: value('silicon_tpot_ms'),
    });
    return true;
  });
  return rows;
}

/**
 * Efficiencies and overheads of docs/measurements/validation.md: fitted to half of the rows of three other models, none of this
 * one. Per all-reduce and doubling of the group 5.07 µs, per layer 0.33 µs, per pass of vLLM 2,015 µs.
 */
const fitted = { compute: 0.558, memory: 0.684, passUs: 2015, layerUs: 0.33, reduceUs: 5.07, burst: 0.13 };

/** TPOT of a row; nothing is fitted to it. */
export function predictExpertTpot(row: ExpertRow, gateSkew: number): Ms {
  const model = findModel('minimax-m2');
  if (model === undefined) throw new Error('no shape of MiniMax M2');
  const moe: MoeSpec = {
    group: 'engine',
    ranks: row.ranks,
    island: row.ranks,
    gate: { kind: 'zipf', skew: gateSkew },
    routing: 'free',
    placement: 'linear',
    redundant: 0,
    exchange: 'direct',
    dispatch_bytes: 2,
    combine_bytes: 2,
    island_link: { bandwidth_gb_per_s: 360, latency_us: 2 },
    network: { bandwidth_gb_per_s: 43, latency_us: 15 },
    overlap: 'none',
    kernels: { kind: 'grouped' },
    seed: 7,
  };
  const cost = new MoeCost(
    {
      kind: 'roofline',
      gpu: 'h100-sxm',
      tensor_parallel: row.ranks,
      compute_efficiency: fitted.compute,
      memory_efficiency: fitted.memory,
      iteration_overhead_us:
        fitted.passUs + model.layers * (fitted.layerUs + 2 * fitted.reduceUs * Math.log2(row.ranks)),
    },
    moe,
    model,
  );
  const loop = {
    cost,
    clients: row.clients,
    rounds: 1,
    promptTokens: row.promptTokens,
    outputTokens: row.outputTokens,
    kvBlocks: 20_000,
    maxBatchedTokens: 8192,
    maxSequences: 1024,
    apartNs: 0,
  };
  const together = closedLoop(loop);
  const alone = together.ttft / row.clients + together.tpot * (row.outputTokens - 1);
  const apart = closedLoop({ ...loop, rounds: 3, apartNs: (alone * 1e6) / row.clients });
  return fitted.burst * together.tpot + (1 - fitted.burst) * apart.tpot;
}

/** Median |predicted ÷ measured − 1|. */
export const expertError = (rows: readonly ExpertRow[], gateSkew: number): number =>
  quantile(
    rows.map((row) => Math.abs(predictExpertTpot(row, gateSkew) / row.tpot - 1)),
    0.5,
  );
