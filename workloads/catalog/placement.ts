import { declaredAmong } from '../model/models.ts';
import { InputError } from '../run/inputError.ts';
import type { GpuInstance, InstanceSpec, ServerInstance, WeightsSpec } from '../run/instanceSpec.ts';
import { type RunSpec, runSpec } from '../run/spec.ts';
import type { Bytes } from '../units.ts';
import { gpuInstances } from './gpuPlacement.ts';

/** What serves the instances of a target's cluster. Targets describe their cluster for the simulator; a placement puts it elsewhere. */
export type Placement =
  | { readonly engine: 'sim' }
  | {
      readonly engine: 'cuda';
      /** CUDA ordinals; instances are spread over them in turn. */
      readonly devices: readonly number[];
      /** Id of the model that all instances serve; absent: as the target has them. */
      readonly model?: string;
      readonly weights: WeightsSpec;
      readonly precision?: GpuInstance['precision'];
      /** KV blocks of each instance; absent: what the weights leave of a device's memory, divided evenly. */
      readonly kvBlocks?: number;
      /** Memory of each device; absent: of the card that the target names. */
      readonly memoryBytes?: Bytes;
    }
  | { readonly engine: 'http'; readonly servers: readonly ServerInstance[] };

/** Throws InputError where the pools of the cluster find no server of their role. */
function serverInstances(
  { cluster, target }: RunSpec,
  servers: readonly ServerInstance[],
): readonly ServerInstance[] {
  if (servers.length === 0)
    throw new InputError(`${target}: engine http needs servers, expected --server URL, once for each`);
  const pools = new Set(cluster.instances.map(({ pool }) => pool));
  for (const pool of ['prefill', 'decode'] as const) {
    if (!pools.has(pool) || servers.some((server) => server.pool === pool)) continue;
    throw new InputError(`${target}: no server of its ${pool} pool, expected --server URL,role=${pool}`);
  }
  return servers;
}

/** Servers keep what they begin: nothing of a request moves between them, whatever the target would move between its own instances. */
function keptInPlace(spec: RunSpec): Pick<RunSpec, 'parameters' | 'cluster' | 'policy'> {
  const off = { hand_off: 'never', migration_budget: 0 };
  const known = (values: RunSpec['parameters']): RunSpec['parameters'] => ({
    ...values,
    ...Object.fromEntries(Object.entries(off).filter(([name]) => name in values)),
  });
  const { handoff: _, ...cluster } = spec.cluster;
  const { policy } = spec;
  return {
    parameters: known(spec.parameters),
    cluster,
    policy: { ...policy, router_parameters: known(policy.router_parameters) },
  };
}

/** The same run on another engine. Throws InputError where the placement does not fit the cluster. */
export function placedOn(spec: RunSpec, placement: Placement): RunSpec {
  if (placement.engine === 'sim') return spec;
  const instances: readonly InstanceSpec[] =
    placement.engine === 'cuda' ? gpuInstances(spec, placement) : serverInstances(spec, placement.servers);
  const model = placement.engine === 'cuda' ? (placement.model ?? spec.cluster.model) : spec.cluster.model;
  const kept = placement.engine === 'http' ? keptInPlace(spec) : spec;
  const models = declaredAmong([model, ...instances.flatMap((instance) => instance.model ?? [])]);
  // CPU work is real now, and the next pass is composed when the one before it has ended.
  const { host: _host, plans_ahead: _ahead, ...scheduler } = spec.cluster.scheduler;
  return runSpec.parse({
    ...spec,
    parameters: kept.parameters,
    policy: kept.policy,
    engine: placement.engine,
    cluster: {
      ...kept.cluster,
      model,
      instances: [...instances],
      scheduler: placement.engine === 'cuda' ? scheduler : spec.cluster.scheduler,
    },
    ...(models === undefined ? {} : { models }),
  });
}
