import { blockTokensOf, kvBlocksOf } from '../../cluster/blocks.ts';
import { builtInModels } from '../../model/configs.ts';
import { findModel } from '../../model/models.ts';
import { findRouter, routers } from '../../routing/routers.ts';
import { InputError } from '../../run/inputError.ts';
import type { GpuInstance, InstanceSpec } from '../../run/instanceSpec.ts';
import type { RunSpec } from '../../run/spec.ts';
import { admissions, findAdmission } from '../../serving/admission/admissions.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import type { TransformerShape } from './device.ts';
import { transformerShape } from './transformerShape.ts';

/** The GPU that serves an instance. Throws InputError where something else does. */
export function onGpu(instance: InstanceSpec): GpuInstance {
  if (instance.serves === 'gpu') return instance;
  throw new InputError(
    `cluster.instances (${instance.name}): serves ${instance.serves}, expected gpu: engine cuda runs passes on a device`,
  );
}

/** The shape that the kernels need of a model by its id. Throws InputError. */
export function shapeForKernels(id: string): TransformerShape {
  const builtIn = builtInModels.find((model) => model.id === id);
  if (builtIn !== undefined) return transformerShape(builtIn.config, `model ${id}`);
  const config = findModel(id)?.config;
  if (config === undefined)
    throw new InputError(`cluster.model: no configuration of "${id}", expected --model with a config.json`);
  return transformerShape(config, `model ${id}`);
}

/** Everything that would make the run impossible, said before a device is touched. Throws InputError. */
export function checkGpuSpec(spec: RunSpec, traffic: Traffic): void {
  const { cluster, policy } = spec;
  const { scheduler, kv, handoff } = cluster;
  if (scheduler.max_sequences > scheduler.max_batched_tokens) {
    throw new InputError(
      `cluster.scheduler: max_sequences ${scheduler.max_sequences} is more than max_batched_tokens ${scheduler.max_batched_tokens}, expected at most one sequence per token of a pass`,
    );
  }
  if (findRouter(policy.router) === undefined) {
    throw new InputError(
      `policy.router: no router "${policy.router}", expected one of ${routers.map((r) => r.id).join(', ')}`,
    );
  }
  if (policy.admission !== undefined && findAdmission(policy.admission.policy) === undefined) {
    throw new InputError(
      `policy.admission.policy: no policy "${policy.admission.policy}", expected one of ${admissions.map((a) => a.id).join(', ')}`,
    );
  }
  if (kv.keeps_preempted === true) {
    throw new InputError(
      'cluster.kv.keeps_preempted: true, expected false: engine cuda recomputes what was preempted',
    );
  }
  const { technique } = cluster;
  if (technique?.kind === 'speculation') {
    const tokens = scheduler.max_sequences * (technique.length + 1);
    if (tokens > scheduler.max_batched_tokens) {
      throw new InputError(
        `cluster.technique.length: ${technique.length} drafted tokens and one more for ${scheduler.max_sequences} sequences are ${tokens} tokens, expected at most max_batched_tokens ${scheduler.max_batched_tokens}`,
      );
    }
    const { policy: order } = scheduler;
    if (order !== undefined && (order.kind !== 'chunked_prefill' || order.preemption.kind === 'swap')) {
      throw new InputError(
        `cluster.technique: speculation under the scheduler ${order.kind}${order.kind !== 'static' && order.preemption.kind === 'swap' ? ' with swap' : ''}, expected chunked_prefill with preemption by recompute`,
      );
    }
  }
  const transfer = handoff?.transfer.kind ?? 'per_request';
  if (transfer !== 'per_request' && transfer !== 'batched') {
    throw new InputError(
      `cluster.handoff.transfer.kind: ${transfer}, expected per_request or batched: engine cuda copies a prompt's KV when it is whole`,
    );
  }
  const instances = cluster.instances.map(onGpu);
  const decoders = instances.filter((i) => i.pool !== 'prefill').length;
  const prompts = instances.filter((i) => i.pool !== 'decode').length;
  if (decoders === 0 || prompts === 0) {
    throw new InputError(
      `cluster.instances: ${prompts} can compute prompts and ${decoders} can decode, expected at least one of each`,
    );
  }
  const swaps =
    scheduler.policy !== undefined &&
    scheduler.policy.kind !== 'static' &&
    scheduler.policy.preemption.kind === 'swap';
  if (swaps && handoff !== undefined && new Set(instances.map(({ device }) => device)).size > 1) {
    throw new InputError(
      'cluster.scheduler.policy.preemption: swap with pools on several GPUs, whose copies have no order between them; expected recompute, or one GPU',
    );
  }
  const blockTokens = blockTokensOf(spec, traffic);
  if (blockTokens % 16 !== 0) {
    throw new InputError(
      `cluster.kv.block_tokens: ${blockTokens}, expected a multiple of 16 for the kernels`,
    );
  }
  for (const instance of instances) checkInstance(spec, traffic, instance, blockTokens);
}

function checkInstance(spec: RunSpec, traffic: Traffic, instance: GpuInstance, blockTokens: number): void {
  if (instance.tensor_parallel !== 1) {
    throw new InputError(
      `cluster.instances (${instance.name}): tensor_parallel ${instance.tensor_parallel}, expected 1: engine cuda serves an instance on one GPU`,
    );
  }
  const { maxPositions } = shapeForKernels(instance.model ?? spec.cluster.model);
  const blocks = kvBlocksOf(spec, instance.kv_blocks, blockTokens);
  for (let r = 0; r < traffic.requests; r++) {
    const prompt = traffic.promptTokens[r] ?? 0;
    const output = traffic.outputTokens[r] ?? 0;
    if (prompt < 1 || output < 1) {
      throw new InputError(
        `${traffic.name}: request ${r} has ${prompt} prompt and ${output} output tokens, expected at least 1 of each`,
      );
    }
    if (prompt + output > maxPositions) {
      throw new InputError(
        `${traffic.name}: request ${r} has ${prompt} prompt and ${output} output tokens, the model takes ${maxPositions} together`,
      );
    }
    const needed = Math.ceil((prompt + output - 1) / blockTokens);
    if (needed > blocks) {
      throw new InputError(
        `${traffic.name}: request ${r} needs ${needed} KV blocks of ${blockTokens} tokens (${prompt} prompt + ${output} output tokens), instance ${instance.name} has ${blocks}`,
      );
    }
  }
}
