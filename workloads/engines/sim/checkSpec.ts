import { blockTokensOf, kvBlocksOf } from '../../cluster/blocks.ts';
import { checkModels } from '../../cluster/checkModels.ts';
import { findRouter, routers } from '../../routing/routers.ts';
import { InputError } from '../../run/inputError.ts';
import { modelled } from '../../run/instanceSpec.ts';
import type { RunSpec } from '../../run/spec.ts';
import { admissions, findAdmission } from '../../serving/admission/admissions.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { checkScheduler } from './checkScheduler.ts';
import { checkTiers } from './checkTiers.ts';
import { isCoupled } from './coupled.ts';
import { checkTechnique } from './techniques.ts';

/** Everything that would make the run impossible, said before it starts. Throws InputError. */
export function checkSpec(spec: RunSpec, traffic: Traffic): void {
  const { cluster } = spec;
  if (cluster.scheduler.max_sequences > cluster.scheduler.max_batched_tokens) {
    throw new InputError(
      `cluster.scheduler: max_sequences ${cluster.scheduler.max_sequences} is more than max_batched_tokens ${cluster.scheduler.max_batched_tokens}, expected at most one sequence per token of a pass`,
    );
  }
  if (findRouter(spec.policy.router) === undefined) {
    throw new InputError(
      `policy.router: no router "${spec.policy.router}", expected one of ${routers.map((r) => r.id).join(', ')}`,
    );
  }
  const admission = spec.policy.admission;
  if (admission !== undefined && findAdmission(admission.policy) === undefined) {
    throw new InputError(
      `policy.admission.policy: no policy "${admission.policy}", expected one of ${admissions.map((a) => a.id).join(', ')}`,
    );
  }
  checkModels(spec);
  checkTechnique(spec);
  if (
    cluster.scheduler.max_sequences > 1 &&
    cluster.instances.some((instance) => modelled(instance).cost.kind === 'stochastic')
  ) {
    throw new InputError(
      `cluster.scheduler.max_sequences: ${cluster.scheduler.max_sequences} with a stochastic cost, expected 1: it serves one request at a time`,
    );
  }
  checkScheduler(spec);
  const decoders = cluster.instances.filter((i) => i.pool !== 'prefill').length;
  const prompts = cluster.instances.filter((i) => i.pool !== 'decode').length;
  if (decoders === 0 || prompts === 0) {
    throw new InputError(
      `cluster.instances: ${prompts} can compute prompts and ${decoders} can decode, expected at least one of each`,
    );
  }
  checkChanges(spec);
  const blockTokens = blockTokensOf(spec, traffic);
  checkTiers(spec, (blocks) => kvBlocksOf(spec, blocks, blockTokens));
  let smallest = Number.POSITIVE_INFINITY;
  let where = '';
  for (const instance of cluster.instances) {
    const blocks = kvBlocksOf(spec, modelled(instance).kv_blocks, blockTokens);
    if (blocks < smallest) {
      smallest = blocks;
      where = instance.name;
    }
  }
  for (let r = 0; r < traffic.requests; r++) {
    const prompt = traffic.promptTokens[r] ?? 0;
    const output = traffic.outputTokens[r] ?? 0;
    if (prompt < 1 || output < 1) {
      throw new InputError(
        `${traffic.name}: request ${r} has ${prompt} prompt and ${output} output tokens, expected at least 1 of each`,
      );
    }
    const blocks = Math.ceil((prompt + output - 1) / blockTokens);
    if (blocks > smallest) {
      throw new InputError(
        `${traffic.name}: request ${r} needs ${blocks} KV blocks of ${blockTokens} tokens (${prompt} prompt + ${output} output tokens), instance ${where} has ${smallest}${spec.traffic.kind === 'trace' ? '; --drop-oversized leaves such requests out' : ''}`,
      );
    }
  }
}

/** The timeline and autoscaling name instances and pools that are there. */
function checkChanges(spec: RunSpec): void {
  const { instances, handoff } = spec.cluster;
  spec.timeline?.forEach((event, k) => {
    const { instance } = event;
    if (instance !== undefined && instance >= instances.length) {
      throw new InputError(
        `timeline[${k}].instance: ${instance}, expected 0 .. ${instances.length - 1}, the index of one of cluster.instances`,
      );
    }
    const hit = instance === undefined ? undefined : instances[instance];
    const isLone = !['crash', 'slow', 'role'].includes(event.event) || hit === undefined || !isCoupled(hit);
    if (!isLone) {
      throw new InputError(
        `timeline[${k}]: ${event.event} of ${hit?.name ?? ''}, which works in step with others (expert group or pipeline); expected an instance of its own`,
      );
    }
    if (event.event === 'crash' && spec.cluster.scheduler.policy?.kind === 'static') {
      throw new InputError(
        `timeline[${k}]: crash together with cluster.scheduler.policy static, which cannot take a batch apart; expected another policy`,
      );
    }
    if (event.event === 'slow' && spec.cluster.technique !== undefined) {
      throw new InputError(
        `timeline[${k}]: slow together with cluster.technique ${spec.cluster.technique.kind}, which prices passes on its own; expected one of them`,
      );
    }
  });
  spec.autoscaling?.pools.forEach(({ pool, initial, min, max }, k) => {
    const there = instances.filter((i) => i.pool === pool).length;
    if (max > there) {
      throw new InputError(
        `autoscaling.pools[${k}].max: ${max}, cluster.instances has ${there} in the ${pool} pool, expected at most that many`,
      );
    }
    if (min > initial || initial > max) {
      throw new InputError(
        `autoscaling.pools[${k}]: min ${min}, initial ${initial}, max ${max}, expected min ≤ initial ≤ max`,
      );
    }
  });
  if (handoff?.rebalance !== undefined && !(handoff.rebalance.low < handoff.rebalance.high)) {
    throw new InputError(
      `cluster.handoff.rebalance: low ${handoff.rebalance.low}, expected less than high ${handoff.rebalance.high}`,
    );
  }
}
