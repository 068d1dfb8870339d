import { basename } from 'node:path';
import type { KernelSpec } from '../../../workloads/kernels/kernelSpec.ts';
import type { RunSpec } from '../../../workloads/run/spec.ts';

/** What a run was set to: the target's parameters by id, and under names of their own what follows from the whole spec. */
export type RunSettings = Readonly<Record<string, string | number | boolean>>;

const mostSettings = 120;
const mostTextLength = 200;

/**
 * The settings that lists name and find runs by: every parameter, `seed`, `iterations`, `trace` (the file's name); of serving
 * runs also `model`, `gpu`, `tp`, `instances`, `pools` and `router`, as the cluster got them.
 */
export function settingsOf(spec: RunSpec | KernelSpec): RunSettings {
  const derived = 'cluster' in spec ? clusterSettings(spec) : {};
  // What the cluster got comes before a parameter of that name, which another variant may read.
  const all: RunSettings = {
    ...spec.parameters,
    ...derived,
    seed: spec.seed,
    iterations: spec.iterations,
  };
  return Object.fromEntries(
    Object.entries(all)
      .slice(0, mostSettings)
      .map(([id, value]) => [id, typeof value === 'string' ? value.slice(0, mostTextLength) : value]),
  );
}

function clusterSettings({ traffic, cluster, policy }: RunSpec): RunSettings {
  const { instances } = cluster;
  const costs = instances.flatMap((instance) => (instance.serves === 'modelled' ? [instance.cost] : []));
  const gpus = unique(costs.flatMap((cost) => ('gpu' in cost ? [cost.gpu] : [])));
  const sizes = unique([
    ...costs.flatMap((cost) => ('tensor_parallel' in cost ? [cost.tensor_parallel] : [])),
    ...instances.flatMap((instance) => (instance.serves === 'gpu' ? [instance.tensor_parallel] : [])),
  ]);
  const pools = unique(instances.map(({ pool }) => pool)).map(
    (pool) => `${instances.filter((instance) => instance.pool === pool).length} ${pool}`,
  );
  const [size] = sizes;
  return {
    model: cluster.model,
    ...(gpus.length === 0 ? {} : { gpu: gpus.join(', ') }),
    ...(sizes.length === 1 && size !== undefined ? { tp: size } : {}),
    instances: instances.length,
    pools: pools.join(' + '),
    router: policy.router,
    ...(traffic.kind === 'trace' ? { trace: basename(traffic.path) } : {}),
  };
}

const unique = <T>(values: readonly T[]): readonly T[] => [...new Set(values)];
