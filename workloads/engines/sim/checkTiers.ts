import { InputError } from '../../run/inputError.ts';
import { modelled } from '../../run/instanceSpec.ts';
import type { RunSpec } from '../../run/spec.ts';
import { isCoupled } from './coupled.ts';

/** What would make the tiers of a spec impossible, said before the run starts. Throws InputError. */
export function checkTiers(spec: RunSpec, blocksOf: (blocks: number) => number): void {
  const { cluster } = spec;
  const { tiers } = cluster.kv;
  if (tiers === undefined) return;
  if (!cluster.kv.prefix_reuse) {
    throw new InputError('cluster.kv.tiers: the tiers keep prefixes, expected prefix_reuse true');
  }
  if (cluster.handoff?.transfer.kind === 'layerwise') {
    throw new InputError(
      'cluster.kv.tiers: hand-offs layer by layer and tiers do not go together here, expected another cluster.handoff.transfer',
    );
  }
  if (cluster.scheduler.policy?.kind === 'static') {
    throw new InputError(
      'cluster.kv.tiers: static batching keeps no prefixes, expected another cluster.scheduler.policy',
    );
  }
  const coupled = cluster.instances.find(isCoupled);
  if (coupled !== undefined) {
    throw new InputError(
      `cluster.kv.tiers: instance ${coupled.name} is one of an expert group or a pipeline, expected instances that run alone`,
    );
  }
  const chance = cluster.instances.find((instance) => modelled(instance).cost.kind === 'stochastic');
  if (chance !== undefined && tiers.load === 'cheaper') {
    throw new InputError(
      `cluster.kv.tiers.load: cheaper, but the pass times cannot be foreseen of instance ${chance.name}, whose cost is stochastic; expected fetch or recompute`,
    );
  }
  tiers.levels.forEach((level, i) => {
    const at = `cluster.kv.tiers.levels[${i}]`;
    if (tiers.levels.findIndex((other) => other.kind === level.kind) !== i) {
      throw new InputError(`${at}: a second ${level.kind} tier, expected each kind at most once`);
    }
    if (level.kind === 'peer' && level.donors !== 'spare' && tiers.node_instances < 2) {
      throw new InputError(
        `${at}: instances lend each other memory, expected node_instances of at least 2, or donors "spare"`,
      );
    }
    if (blocksOf(level.blocks) < 1) {
      throw new InputError(
        `${at}: ${level.blocks} blocks of ${cluster.kv.block_tokens} tokens hold no block of the traffic, expected more`,
      );
    }
  });
}
