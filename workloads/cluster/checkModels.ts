import { findRouter } from '../routing/routers.ts';
import { InputError } from '../run/inputError.ts';
import type { RunSpec } from '../run/spec.ts';

/** Instances that serve another model than the cluster's: nothing of a request can move between models. Throws InputError. */
export function checkModels(spec: RunSpec): void {
  const { cluster, policy } = spec;
  const { complexity } = policy;
  const modelOf = (i: (typeof cluster.instances)[number]): string => i.model ?? cluster.model;
  for (const instance of complexity === undefined ? [] : cluster.instances) {
    if (complexity?.ladder.includes(modelOf(instance)) === false) {
      throw new InputError(
        `policy.complexity.ladder: without ${modelOf(instance)} of instance ${instance.name}, expected every model that is served`,
      );
    }
  }
  if (cluster.instances.every((i) => modelOf(i) === cluster.model)) return;
  const split = cluster.instances.find((i) => i.pool !== 'mixed');
  if (split !== undefined) {
    throw new InputError(
      `cluster.instances: ${split.name} is a ${split.pool} instance among several models, expected mixed ones only: a KV cache fits one model`,
    );
  }
  const kind = findRouter(policy.router);
  const parameters = policy.router_parameters;
  if (
    kind?.asksWhereToDecode?.(parameters) === true ||
    (kind?.migrationIntervalNs?.(parameters) ?? 0) > 0 ||
    cluster.kv.tiers !== undefined ||
    cluster.technique !== undefined
  ) {
    throw new InputError(
      `cluster.instances: several models together with router ${policy.router} that moves requests, cluster.kv.tiers or cluster.technique, expected none of these`,
    );
  }
}
