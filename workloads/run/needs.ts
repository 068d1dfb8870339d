import type { Capability } from './capability.ts';
import type { RunSpec } from './spec.ts';

/** What a run spec asks of an engine, read off the spec itself; routers that migrate or fetch add their needs when they are made. */
export function needsOf(spec: RunSpec): ReadonlySet<Capability> {
  const { cluster, policy } = spec;
  const needs = new Set<Capability>();
  const need = (capability: Capability, isNeeded: boolean): void => {
    if (isNeeded) needs.add(capability);
  };
  const scheduler = cluster.scheduler.policy;
  const { technique, kv, handoff } = cluster;
  need('prefix_cache', kv.prefix_reuse);
  need('hand_off', handoff !== undefined || cluster.instances.some((i) => i.pool !== 'mixed'));
  need('static_batching', scheduler?.kind === 'static');
  need('schedulers', scheduler !== undefined && scheduler.kind !== 'static');
  need(
    'swap',
    scheduler !== undefined && scheduler.kind !== 'static' && scheduler.preemption.kind === 'swap',
  );
  need('tiers', kv.tiers !== undefined);
  need('eviction', (kv.eviction ?? 'lru-prefix') !== 'lru-prefix');
  need('kv_quantisation', kv.quantisation !== undefined);
  need('admission', policy.admission !== undefined);
  need('speculation', technique?.kind === 'speculation');
  need(
    'modelled_drafts',
    technique?.kind === 'speculation' && (technique.adaptive || technique.draft.kind !== 'lookup'),
  );
  need('early_exit', technique?.kind === 'early_exit');
  need('guided_decoding', technique?.kind === 'guided');
  need('host_costs', cluster.scheduler.host !== undefined);
  need(
    'several_models',
    cluster.instances.some((i) => i.model !== undefined && i.model !== cluster.model),
  );
  need('faults', (spec.timeline?.length ?? 0) > 0);
  need('autoscaling', spec.autoscaling !== undefined || handoff?.rebalance !== undefined);
  need('router_views', policy.view !== undefined);
  for (const instance of cluster.instances) {
    if (instance.serves !== 'modelled') continue;
    const { cost } = instance;
    need('stochastic_service', cost.kind === 'stochastic');
    if (cost.kind === 'operators') need('expert_groups', (cost.experts?.data_ranks ?? 1) > 1);
    if (cost.kind !== 'roofline') continue;
    need('expert_groups', cost.moe !== undefined);
    need('pipeline', cost.pipeline !== undefined);
    need('collectives', cost.all_reduce !== undefined);
  }
  return needs;
}
