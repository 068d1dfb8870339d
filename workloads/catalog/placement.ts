import { InputError } from '../run/inputError.ts';
import type { GpuInstance, InstanceSpec, ServerInstance, WeightsSpec } from '../run/instanceSpec.ts';
import { type RunSpec, runSpec } from '../run/spec.ts';

/** What serves the instances of a target's cluster. Targets describe their cluster for the simulator; a placement puts it elsewhere. */
export type Placement =
  | { readonly engine: 'sim' }
  | {
      readonly engine: 'cuda';
      /** CUDA ordinals; instances are spread over them in turn. */
      readonly devices: readonly number[];
      /** Name or folder of the model; absent: the cluster's. */
      readonly model?: string;
      readonly weights: WeightsSpec;
      readonly precision?: GpuInstance['precision'];
      /** KV blocks of each instance; absent: as the target has them. */
      readonly kvBlocks?: number;
    }
  | { readonly engine: 'http'; readonly servers: readonly ServerInstance[] };

function gpuInstances(
  { cluster }: RunSpec,
  { devices, weights, precision, kvBlocks }: Extract<Placement, { engine: 'cuda' }>,
): readonly GpuInstance[] {
  if (devices.length === 0) throw new InputError('engine cuda: no GPU was named, expected at least one');
  return cluster.instances.map((instance, i) => {
    const blocks = kvBlocks ?? instance.kv_blocks;
    if (blocks === undefined) {
      throw new InputError(`${instance.name}: no number of KV blocks is known, expected --kv-blocks`);
    }
    return {
      name: instance.name,
      pool: instance.pool,
      ...(instance.hourly_cost === undefined ? {} : { hourly_cost: instance.hourly_cost }),
      serves: 'gpu',
      device: devices[i % devices.length] ?? 0,
      tensor_parallel: 1,
      weights,
      ...(precision === undefined ? {} : { precision }),
      kv_blocks: blocks,
    };
  });
}

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

/** The same run on another engine. Throws InputError where the placement does not fit the cluster. */
export function placedOn(spec: RunSpec, placement: Placement): RunSpec {
  if (placement.engine === 'sim') return spec;
  const instances: readonly InstanceSpec[] =
    placement.engine === 'cuda' ? gpuInstances(spec, placement) : serverInstances(spec, placement.servers);
  const model = placement.engine === 'cuda' ? (placement.model ?? spec.cluster.model) : spec.cluster.model;
  return runSpec.parse({
    ...spec,
    engine: placement.engine,
    cluster: { ...spec.cluster, model, instances: [...instances] },
  });
}
