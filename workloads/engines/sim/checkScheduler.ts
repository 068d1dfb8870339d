import { findRouter } from '../../routing/routers.ts';
import { InputError } from '../../run/inputError.ts';
import type { RunSpec } from '../../run/spec.ts';
import { isCoupled } from './coupled.ts';

/** What a scheduler policy cannot do, said before the run. Throws InputError. */
export function checkScheduler(spec: RunSpec): void {
  const { cluster, policy: routing, slo } = spec;
  const { policy } = cluster.scheduler;
  if (policy === undefined) return;
  const swaps = policy.kind !== 'static' && policy.preemption.kind === 'swap';
  if (cluster.technique !== undefined && (policy.kind !== 'chunked_prefill' || swaps)) {
    throw new InputError(
      `cluster.technique: ${cluster.technique.kind} under the scheduler ${policy.kind}${swaps ? ' with swap' : ''}, expected chunked_prefill with preemption by recompute`,
    );
  }
  if (policy.kind === 'static') {
    const other = cluster.instances.find((i) => i.pool !== 'mixed');
    if (other !== undefined) {
      throw new InputError(
        `cluster.scheduler.policy: static batching on instance ${other.name} of the ${other.pool} pool, expected mixed instances: a batch computes its prompts and decodes`,
      );
    }
    const coupled = cluster.instances.find(isCoupled);
    if (coupled !== undefined) {
      throw new InputError(
        `cluster.scheduler.policy: static batching on instance ${coupled.name}, whose passes depend on those of others, expected instances on their own`,
      );
    }
    const lost = spec.timeline?.find((e) => e.event === 'crash' || e.event === 'role');
    if (lost !== undefined || spec.autoscaling !== undefined) {
      throw new InputError(
        `cluster.scheduler.policy: static batching with ${lost === undefined ? 'autoscaling' : `a ${lost.event} in the timeline`}, expected instances that stay: a batch ends with its longest answer`,
      );
    }
    if (cluster.kv.tiers !== undefined) {
      throw new InputError(
        'cluster.kv.tiers: static batching has no prefix cache to put there, expected none or another scheduler',
      );
    }
    const router = findRouter(routing.router);
    const moves =
      router?.asksWhereToDecode?.(routing.router_parameters) === true ||
      (router?.migrationIntervalNs?.(routing.router_parameters) ?? 0) > 0;
    if (moves) {
      throw new InputError(
        `cluster.scheduler.policy: static batching with the router ${routing.router}, which moves requests between instances, expected one that does not (round_robin, least_outstanding …)`,
      );
    }
    const bounds = policy.buckets?.list.map((b) => b.up_to_tokens) ?? [];
    if (bounds.some((bound, i) => i > 0 && bound <= (bounds[i - 1] ?? 0))) {
      throw new InputError(
        `cluster.scheduler.policy.buckets: bounds ${bounds.join(', ')} tokens, expected each larger than the one before`,
      );
    }
    return;
  }
  const { order, classes } = policy;
  if (order.kind === 'class_priority' && classes === undefined) {
    throw new InputError('cluster.scheduler.policy: class_priority without classes, expected at least one');
  }
  const deadlines = order.kind === 'earliest_deadline' || order.kind === 'least_slack';
  if (deadlines && classes === undefined && slo.ttft_ms === undefined) {
    throw new InputError(
      `cluster.scheduler.policy: ${order.kind} without a deadline, expected slo.ttft_ms or classes`,
    );
  }
}
