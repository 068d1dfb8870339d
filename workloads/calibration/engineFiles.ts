import { z } from 'zod';
import { models } from '../model/models.ts';
import type { ModelShape } from '../model/shape.ts';
import { kvBlocksThatFit } from '../model/shape.ts';
import { kvBlocksBesideExperts } from '../moe/memory.ts';
import { InputError } from '../run/inputError.ts';
import type { EngineSettings } from './measuredRun.ts';
import { plannedAheadGapUs } from './vllmRuns.ts';

/** The parts of a measured run's meta.json and cluster.json that say how its engine served. */
const metaFile = z.object({
  model: z.string(),
  vllm_version: z.string().optional(),
  engine_kwargs: z.object({
    tensor_parallel_size: z.int().positive().default(1),
    data_parallel_size: z.int().positive().default(1),
    enable_expert_parallel: z.boolean().default(false),
    max_num_seqs: z.int().positive(),
    max_num_batched_tokens: z.int().positive(),
  }),
  kv_cache: z
    .object({ num_gpu_blocks: z.int().positive().nullish(), block_size: z.int().positive().nullish() })
    .nullish(),
});
const clusterFile = z.object({
  link_bw: z.number().positive(),
  /** ns */
  link_latency: z.number().min(0),
  nodes: z.array(
    z.object({
      instances: z.array(
        z.object({
          hardware: z.string(),
          npu_mem: z.object({ mem_size: z.number().positive(), mem_util: z.number().positive().nullish() }),
        }),
      ),
    }),
  ),
});

/**
 * Zipf exponents that reach as many different experts per batch as a model's gate was recorded to. Qwen3-30B-A3B: 0.87 of an even
 * gate's in the middle of the range, 0.94 in a full batch, over 110,640 gate calls (LLMServingSim, docs/simulator/moe-expert-routing.md);
 * 0.6 gives 0.88 at 16 to 24 tokens and 0.95 at 64. Others: even.
 */
const recordedGates: Readonly<Record<string, number>> = { 'qwen3-30b-a3b': 0.6 };

/** `Qwen/Qwen3-30B-A3B-Instruct-2507` has the shape of `Qwen/Qwen3-30B-A3B`: the longest published name that it starts with. */
function shapeNamed(name: string): ModelShape | undefined {
  const repository = (m: ModelShape): string => m.source.replace('config.json of ', '');
  return models
    .filter((m) => m.bytesPerWeight === 2)
    .filter((m) => name === repository(m) || name.startsWith(`${repository(m)}-`))
    .sort((a, b) => repository(b).length - repository(a).length)[0];
}

/** A scalar of op-meta.yaml's `skew_fit: per_tp: <tp>:`; undefined where the card has none. */
export function skewAlpha(yaml: string, tensorParallel: number): number | undefined {
  const fit = yaml.slice(Math.max(0, yaml.indexOf('skew_fit:')));
  if (!fit.startsWith('skew_fit:')) return undefined;
  const own = new RegExp(`\\n    ${tensorParallel}:\\n((?:      .*\\n?)*)`).exec(fit)?.[1] ?? '';
  const found = /\n?\s*alpha_default: ([0-9.eE+-]+)/.exec(own)?.[1];
  return found === undefined ? undefined : Number(found);
}

/**
 * The engine of a measured run from its own files: nothing is fitted. Where the number of KV blocks was not recorded it is what
 * the memory of the card leaves. Throws InputError where a file says something else than expected.
 */
export function engineOf(
  folder: string,
  files: { readonly meta: string; readonly cluster: string; readonly opMeta: string },
): { readonly label: string; readonly settings: (path: string, sha256: string) => EngineSettings } {
  const parse = <T>(schema: z.ZodType<T>, file: string, text: string): T => {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw new InputError(`${folder}/${file}: not JSON`);
    }
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new InputError(`${folder}/${file}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
  };
  const meta = parse(metaFile, 'meta.json', files.meta);
  const cluster = parse(clusterFile, 'cluster.json', files.cluster);
  const engine = meta.engine_kwargs;
  const model = shapeNamed(meta.model);
  if (model === undefined) {
    throw new InputError(`${folder}/meta.json: model ${meta.model}, expected one of the list of shapes`);
  }
  const tp = engine.tensor_parallel_size;
  const dp = engine.data_parallel_size;
  const ep = engine.enable_expert_parallel ? tp * dp : 1;
  const card = cluster.nodes[0]?.instances[0];
  const blockTokens = meta.kv_cache?.block_size ?? 16;
  const memory = (card?.npu_mem.mem_size ?? 0) * 1e9;
  const share = card?.npu_mem.mem_util ?? 0.9;
  const fits =
    model.experts === undefined
      ? kvBlocksThatFit(model, memory, tp, blockTokens, share)
      : kvBlocksBesideExperts(model, memory, tp, Math.max(ep, tp), 0, blockTokens, share);
  const recorded = meta.kv_cache?.num_gpu_blocks;
  const kvBlocks = recorded === undefined || recorded === null ? fits : recorded - 1;
  if (kvBlocks < 1) throw new InputError(`${folder}: no KV blocks recorded and none fit, expected some`);
  const link = { bandwidth_gb_per_s: cluster.link_bw, latency_us: cluster.link_latency / 1e3 };
  return {
    label: `${meta.model} on ${card?.hardware ?? '?'}${tp > 1 ? `, TP ${tp}` : ''}${dp > 1 ? `, DP ${dp}` : ''}${ep > 1 ? `, EP ${ep}` : ''}`,
    settings: (path, sha256) => ({
      model: model.id,
      cost: {
        kind: 'operators',
        path,
        sha256,
        tensor_parallel: tp,
        ...(tp > 1
          ? { all_reduce: { latency_us: link.latency_us, bandwidth_gb_per_s: link.bandwidth_gb_per_s } }
          : {}),
        iteration_overhead_us: plannedAheadGapUs,
        skew: skewAlpha(files.opMeta, tp) ?? 0,
        // vLLM captures up to twice max_num_seqs, at most 512.
        graph_tokens: Math.min(512, 2 * engine.max_num_seqs),
        ...(model.experts === undefined
          ? {}
          : {
              experts: {
                group: 'engine',
                ranks: ep,
                data_ranks: dp,
                gate_skew: recordedGates[model.id] ?? 0,
                ...(dp > 1 ? { link } : {}),
              },
            }),
      },
      kvBlocks,
      blockTokens,
      maxSequences: engine.max_num_seqs,
      maxBatchedTokens: engine.max_num_batched_tokens,
      ...(dp > 1 ? { dataParallel: dp } : {}),
    }),
  };
}
