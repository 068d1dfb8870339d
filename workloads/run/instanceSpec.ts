import { z } from 'zod';
import { costSpec } from './costSpec.ts';
import { InputError } from './inputError.ts';
import { poolRole } from './poolRole.ts';

const positive = z.number().positive();
const count = z.int().positive();

const common = {
  name: z.string().min(1),
  pool: poolRole,
  /** Where the instance serves another model than the cluster's; such instances are mixed and keep what they begin. */
  model: z.string().optional(),
  /** USD per hour, for cost figures; absent where unknown. */
  hourly_cost: positive.optional(),
};

/** The simulator serves: a cost model says how long each pass takes. */
export const modelledInstance = z.strictObject({
  ...common,
  serves: z.literal('modelled'),
  cost: costSpec,
  /** KV blocks that fit; given, or derived from the GPU's memory and the model when the spec was made. */
  kv_blocks: count,
});
export type ModelledInstance = z.infer<typeof modelledInstance>;

/** Weights of a model on a GPU: files of a folder (safetensors), or drawn from a seed. */
export const weightsSpec = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('random'), seed: z.int().min(0).max(0xffffffff) }),
  z.strictObject({ kind: z.literal('files'), path: z.string().min(1) }),
]);
export type WeightsSpec = z.infer<typeof weightsSpec>;

/** A GPU of this machine serves: real kernels compute each pass. */
export const gpuInstance = z.strictObject({
  ...common,
  serves: z.literal('gpu'),
  /** CUDA ordinal of the first GPU; with tensor_parallel n the instance uses n of them from here on. */
  device: z.int().min(0),
  tensor_parallel: count.default(1),
  weights: weightsSpec,
  /** Number format of the dense weights; absent: bf16. */
  precision: z.enum(['bf16', 'fp8']).optional(),
  /** KV blocks of its pool; the engine refuses a number that does not fit. */
  kv_blocks: count,
  /** CUDA stream priority, 0 the lowest; absent: all alike. */
  priority: z.int().min(0).max(5).optional(),
  /** Share of the SMs that the instance may use (green context); absent: all of them, in competition. */
  sm_share: z.number().gt(0).max(1).optional(),
});
export type GpuInstance = z.infer<typeof gpuInstance>;

/** A server with an OpenAI-compatible API serves. */
export const serverInstance = z.strictObject({
  ...common,
  serves: z.literal('server'),
  url: z.url({ protocol: /^https?$/ }),
  /** Name of the model as the server knows it; absent: the first of /v1/models. */
  served_model: z.string().min(1).optional(),
  /** Environment variable that holds the API key; the key itself is never written down. */
  api_key_env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .optional(),
  /** Wire dialect; absent: found by a probe. */
  dialect: z.enum(['vllm', 'sglang', 'trtllm', 'llamacpp', 'dynamo', 'openai']).optional(),
  /** Address of the server's KV events (ZeroMQ); absent: none are read. */
  kv_events: z.string().min(1).optional(),
  /** URL of its metrics; absent: /metrics beside the API. */
  metrics: z.url({ protocol: /^https?$/ }).optional(),
  /** KV blocks that the server holds, where it is known; the router's prefix index is bounded by it. */
  kv_blocks: count.optional(),
});
export type ServerInstance = z.infer<typeof serverInstance>;

/** One model replica of the cluster, and what serves it. */
export const instanceSpec = z.discriminatedUnion('serves', [modelledInstance, gpuInstance, serverInstance]);
export type InstanceSpec = z.infer<typeof instanceSpec>;

/** The instance as the simulator needs it; InputError where something else serves it. */
export function modelled(instance: InstanceSpec): ModelledInstance {
  if (instance.serves === 'modelled') return instance;
  throw new InputError(
    `cluster.instances (${instance.name}): serves ${instance.serves}, expected modelled: engine sim needs a cost model`,
  );
}

/** GPUs that the instance takes; 1 where its cost model or its server does not say. */
export function gpusOf(instance: InstanceSpec): number {
  switch (instance.serves) {
    case 'modelled':
      return 'tensor_parallel' in instance.cost ? instance.cost.tensor_parallel : 1;
    case 'gpu':
      return instance.tensor_parallel;
    case 'server':
      return 1;
    default: {
      const never: never = instance;
      return never;
    }
  }
}
