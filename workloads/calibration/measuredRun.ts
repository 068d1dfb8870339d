import type { CostSpec } from '../run/costSpec.ts';
import { InputError } from '../run/inputError.ts';
import { type RunSpec, runSpec } from '../run/spec.ts';
import { absentInt32 } from '../run/tables.ts';
import { forEachLine } from '../traffic/lines.ts';
import type { Traffic } from '../traffic/traffic.ts';
import type { Ms, Tokens } from '../units.ts';

/** A request as a real engine served it; times in seconds of the engine's own clock. */
export interface MeasuredRequest {
  readonly promptTokens: Tokens;
  readonly outputTokens: Tokens;
  readonly queued: number;
  readonly first: number;
  readonly last: number;
}

const columns = ['input_toks', 'output_toks', 'queued_ts', 'first_token_ts', 'last_token_ts'] as const;

/** Reads requests.jsonl of a measured run: one object per line, in order of arrival at the engine. */
export async function readMeasuredRequests(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<MeasuredRequest[]> {
  const requests: MeasuredRequest[] = [];
  await forEachLine(name, chunks, (bytes, start, end, number) => {
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] ?? 0);
    let row: unknown;
    try {
      row = JSON.parse(text);
    } catch {
      throw new InputError(`${name}:${number}: not JSON, expected an object with ${columns.join(', ')}`);
    }
    const value = (column: (typeof columns)[number]): number => {
      const found: unknown =
        typeof row === 'object' && row !== null
          ? Object.entries(row).find(([key]) => key === column)?.[1]
          : undefined;
      if (typeof found === 'number' && Number.isFinite(found) && found >= 0) return found;
      throw new InputError(`${name}:${number}: ${column} is ${String(found)}, expected a number from 0`);
    };
    const request = {
      promptTokens: value('input_toks'),
      outputTokens: value('output_toks'),
      queued: value('queued_ts'),
      first: value('first_token_ts'),
      last: value('last_token_ts'),
    };
    if (!(request.queued <= request.first && request.first <= request.last)) {
      throw new InputError(
        `${name}:${number}: times out of order, expected queued_ts ≤ first_token_ts ≤ last_token_ts`,
      );
    }
    requests.push(request);
    return true;
  });
  if (requests.length === 0) throw new InputError(`${name}:1: no request, expected one object per line`);
  return requests.sort((a, b) => a.queued - b.queued);
}

/** The same requests at the same times, of which nothing but their lengths is known. */
export function trafficOf(name: string, requests: readonly MeasuredRequest[]): Traffic {
  const n = requests.length;
  const start = requests[0]?.queued ?? 0;
  return {
    name,
    requests: n,
    arrivalNs: Float64Array.from(requests, ({ queued }) => Math.round((queued - start) * 1e9)),
    promptTokens: Int32Array.from(requests, ({ promptTokens }) => promptTokens),
    outputTokens: Int32Array.from(requests, ({ outputTokens }) => outputTokens),
    priority: new Uint8Array(n),
    session: new Int32Array(n).fill(absentInt32),
    blockTokens: 0,
    blockOffsets: new Int32Array(n + 1),
    blockIds: new Int32Array(0),
    uniqueBlocks: 0,
  };
}

export interface Latencies {
  readonly ttft: Ms;
  /** NaN for a single token. */
  readonly tpot: Ms;
  readonly e2e: Ms;
}

export const measuredLatencies = ({ queued, first, last, outputTokens }: MeasuredRequest): Latencies => ({
  ttft: (first - queued) * 1e3,
  tpot: outputTokens > 1 ? ((last - first) / (outputTokens - 1)) * 1e3 : Number.NaN,
  e2e: (last - queued) * 1e3,
});

/** What decides how one engine serves: all of it is in the engine's own configuration. */
export interface EngineSettings {
  readonly model: string;
  readonly cost: CostSpec;
  /** Blocks that requests can use: vLLM's num_gpu_blocks less the null block. */
  readonly kvBlocks: number;
  readonly blockTokens: number;
  readonly maxSequences: number;
  readonly maxBatchedTokens: number;
  /** Engines behind vLLM's own balancer, each with the settings above. */
  readonly dataParallel?: number;
}

/** One instance, or its data-parallel ranks, that serve what was measured. */
export const replaySpec = (settings: EngineSettings): RunSpec =>
  runSpec.parse({
    schema: 2,
    target: 'replay',
    variant: 'measured',
    engine: 'sim',
    parameters: {},
    traffic: { kind: 'trace', path: 'requests.jsonl', format: 'mooncake' },
    cluster: {
      model: settings.model,
      instances: Array.from({ length: settings.dataParallel ?? 1 }, (_, i) => ({
        name: settings.dataParallel === undefined ? 'engine' : `engine-${i}`,
        pool: 'mixed',
        serves: 'modelled',
        cost: settings.cost,
        kv_blocks: settings.kvBlocks,
      })),
      scheduler: {
        max_batched_tokens: settings.maxBatchedTokens,
        max_sequences: settings.maxSequences,
        plans_ahead: true,
      },
      kv: { block_tokens: settings.blockTokens, prefix_reuse: true, keeps_preempted: true },
      link: { bandwidth_gb_per_s: 64, latency_us: 0 },
    },
    policy: {
      router: (settings.dataParallel ?? 1) > 1 ? 'vllm_dp' : 'round_robin',
      router_parameters: {},
    },
    slo: {},
    seed: 0,
    iterations: 1,
    detail: { decisions: 'none', iterations: 'none' },
  });
