import { MoeCost } from '../../cost/moeCost.ts';
import { OperatorGroupCost } from '../../cost/operatorGroupCost.ts';
import { PipelineCost } from '../../cost/pipelineCost.ts';
import { InputError } from '../../run/inputError.ts';
import { modelled } from '../../run/instanceSpec.ts';
import type { RunSpec } from '../../run/spec.ts';
import type { Instance } from '../../serving/instance.ts';
import { LockstepGroup } from './lockstepGroup.ts';
import { PipelineLine } from './pipelineLine.ts';

export interface Couplings {
  readonly groups: readonly LockstepGroup[];
  readonly lines: readonly PipelineLine[];
}

type InstanceSpec = RunSpec['cluster']['instances'][number];

/** What an instance belongs to, by name. */
interface Membership {
  readonly name: string;
  readonly noun: 'an expert group' | 'a pipeline';
}

function membershipOf(instance: InstanceSpec): Membership | undefined {
  const { cost } = modelled(instance);
  if (cost.kind === 'roofline') {
    if (cost.moe !== undefined) return { name: cost.moe.group, noun: 'an expert group' };
    if (cost.pipeline !== undefined) return { name: cost.pipeline.line, noun: 'a pipeline' };
  }
  if (cost.kind === 'operators' && cost.experts !== undefined && cost.experts.data_ranks > 1) {
    return { name: cost.experts.group, noun: 'an expert group' };
  }
  return undefined;
}

/** Whether passes of this instance depend on others'. */
export const isCoupled = (instance: InstanceSpec): boolean => membershipOf(instance) !== undefined;

/** What of the spec does not know that passes of one instance depend on others'; undefined where there is nothing of that kind. */
function uncoupledOnly({ cluster, timeline = [], autoscaling }: RunSpec): string | undefined {
  const { policy } = cluster.scheduler;
  if (policy?.kind === 'static') return 'cluster.scheduler.policy static';
  if (policy?.preemption.kind === 'swap') return 'cluster.scheduler.policy with swap';
  if (cluster.technique !== undefined) return 'cluster.technique';
  if (cluster.kv.quantisation !== undefined) return 'cluster.kv.quantisation';
  if (cluster.kv.tiers !== undefined) return 'cluster.kv.tiers';
  if (timeline.length > 0) return 'timeline';
  return autoscaling === undefined ? undefined : 'autoscaling';
}

/**
 * Ranks that decode may get their KV caches from a prefill pool, and a replica that is a group of its own may compute prompts for one.
 * Several ranks that hand over prompts would have to be woken one by one in the same moment: not modelled.
 */
function poolRefused(own: InstanceSpec, { cost }: Instance): string | undefined {
  if (own.pool === 'mixed') return undefined;
  if (!(cost instanceof MoeCost)) {
    return `pool ${own.pool} with a pipeline or measured ranks, expected mixed: its KV cache does not move`;
  }
  if (own.pool === 'decode' || cost.dataRanks === 1) return undefined;
  return `pool prefill with ${cost.dataRanks} data-parallel ranks, expected one: tensor_parallel = moe.ranks`;
}

/** Joins the instances that name the same group or line. Throws InputError where they do not make a whole one. */
export function couple(spec: RunSpec, instances: readonly Instance[]): Couplings {
  const groups = new Map<string, LockstepGroup>();
  const lines = new Map<string, PipelineLine>();
  const first = new Map<string, string>();
  spec.cluster.instances.map(modelled).forEach((own, i) => {
    const instance = instances[i];
    const membership = membershipOf(own);
    if (instance === undefined || membership === undefined) return;
    const { name, noun } = membership;
    const where = `cluster.instances[${i}] (${own.name})`;
    if (own.cost.kind === 'roofline' && own.cost.moe !== undefined && own.cost.pipeline !== undefined) {
      throw new InputError(`${where}: moe and pipeline at once, expected one of them`);
    }
    const refused = poolRefused(own, instance);
    if (refused !== undefined) throw new InputError(`${where}: ${refused}`);
    const alone = uncoupledOnly(spec);
    if (alone !== undefined) {
      throw new InputError(`${where}: ${alone} with ${noun}, expected one of them`);
    }
    const text = JSON.stringify(own.cost);
    if ((first.get(name) ?? text) !== text) {
      throw new InputError(`${where}: another cost than the others of "${name}", expected all alike`);
    }
    first.set(name, text);
    if (instance.cost instanceof MoeCost || instance.cost instanceof OperatorGroupCost) {
      const group = groups.get(name) ?? new LockstepGroup(instance.cost);
      groups.set(name, group);
      group.add(instance);
    } else if (instance.cost instanceof PipelineCost) {
      const line = lines.get(name) ?? new PipelineLine(instance.cost);
      lines.set(name, line);
      line.add(instance);
    }
  });
  for (const [name, group] of groups) {
    if (group.size === group.ranks) continue;
    throw new InputError(
      `cluster.instances: ${group.size} instances of the expert group "${name}", expected ${group.ranks}, its data-parallel ranks`,
    );
  }
  return { groups: [...groups.values()], lines: [...lines.values()] };
}
