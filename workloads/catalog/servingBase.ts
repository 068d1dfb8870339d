import { findGpu } from '../hardware/gpus.ts';
import type { MemoryBeside } from '../model/draft.ts';
import { declaredAmong, findModel } from '../model/models.ts';
import { kvBlocksThatFit, type ModelShape, weightBytes } from '../model/shape.ts';
import { InputError } from '../run/inputError.ts';
import type { Parameter, ParameterValue, ParameterValues } from '../run/parameter.ts';
import {
  type ClusterSpec,
  clusterSpec,
  type LengthSpec,
  type PoolRole,
  type RunSpec,
  runSpec,
  type TrafficSpec,
} from '../run/spec.ts';
import { costOf, decodePoolCost } from './costParameters.ts';
import {
  clusterParameters,
  schedulerParameters,
  sloParameters,
  trafficParameters,
} from './servingParameters.ts';
import type { Target, Variant } from './target.ts';
import { completeValues, number, text } from './values.ts';

export { number, text };

const logNormal = (median: number, sigma: number, max: number): LengthSpec => ({
  kind: 'lognormal',
  median,
  sigma,
  min: 1,
  max,
});

/** Open-loop, closed-loop or built-in traffic, from the values of `trafficParameters`. */
export function generatedTraffic(values: ParameterValues): TrafficSpec {
  if (text(values, 'traffic') === 'open') {
    return {
      kind: 'open',
      rate_rps: number(values, 'rate_rps'),
      cv: number(values, 'arrival_cv'),
      duration_s: number(values, 'duration_s'),
      prompt: logNormal(number(values, 'prompt_median'), 1, 100_000),
      output: logNormal(number(values, 'output_median'), 0.8, 10_000),
      prefix_share: number(values, 'prefix_share'),
      block_tokens: number(values, 'block_tokens'),
    };
  }
  if (text(values, 'traffic') === 'closed') {
    return {
      kind: 'closed',
      clients: number(values, 'clients'),
      requests: number(values, 'clients') * number(values, 'requests_per_client'),
      think_s: number(values, 'think_s'),
      think: 'exponential',
      ramp_s: number(values, 'ramp_s'),
      prompt: logNormal(number(values, 'prompt_median'), 1, 100_000),
      output: logNormal(number(values, 'output_median'), 0.8, 10_000),
    };
  }
  return {
    kind: 'synthetic',
    requests: number(values, 'requests'),
    duration_s: 3600,
    speedup: number(values, 'speedup'),
  };
}

/** KV blocks of one instance: those given, or those that fit beside the weights. Throws InputError where none do. */
function kvBlocksFor(
  values: ParameterValues,
  stored: (model: ModelShape) => ModelShape = (m) => m,
  beside?: (model: ModelShape) => MemoryBeside,
): number {
  if (text(values, 'kv_memory') === 'given') return number(values, 'kv_blocks');
  const model = findModel(text(values, 'model'));
  const gpu = findGpu(text(values, 'gpu'));
  if (model === undefined || gpu === undefined) {
    throw new InputError('parameter model or gpu: not in the lists');
  }
  const tensorParallel = number(values, 'tensor_parallel');
  const blocks = kvBlocksThatFit(
    stored(model),
    gpu.memoryBytes,
    tensorParallel,
    number(values, 'block_tokens'),
    0.9,
    beside?.(model),
  );
  if (blocks < 1) {
    const gb = (bytes: number): string => (bytes / 1e9).toFixed(1);
    throw new InputError(
      `parameter gpu: the weights of ${model.label} take ${gb(weightBytes(model))} GB, ${tensorParallel} × ${gpu.label} have ${gb(gpu.memoryBytes * tensorParallel)} GB: no room for KV; raise tensor_parallel or choose a smaller model`,
    );
  }
  return blocks;
}

/**
 * The cluster with as many KV blocks as fit where `stored` says how a token's KV is kept and `beside` what else is in memory.
 * A given number of blocks stays. Throws InputError where none fit.
 */
export function withKvBlocks(
  cluster: ClusterSpec,
  values: ParameterValues,
  stored?: (model: ModelShape) => ModelShape,
  beside?: (model: ModelShape) => MemoryBeside,
): ClusterSpec {
  const kv_blocks = kvBlocksFor(values, stored, beside);
  return { ...cluster, instances: cluster.instances.map((instance) => ({ ...instance, kv_blocks })) };
}

/** Scheduler and link, from the values of `schedulerParameters`. */
export const schedulerAndLink = (values: ParameterValues): Pick<ClusterSpec, 'scheduler' | 'link'> => ({
  scheduler: {
    max_batched_tokens: number(values, 'max_batched_tokens'),
    max_sequences: number(values, 'max_sequences'),
  },
  link: {
    bandwidth_gb_per_s: number(values, 'link_gb_per_s'),
    latency_us: number(values, 'link_latency_us'),
  },
});

/** Equal instances of one model, from the values of `clusterParameters`; `role` says which pool instance i is in. */
export function equalInstances(
  values: ParameterValues,
  role: (index: number, count: number) => PoolRole = () => 'mixed',
): ClusterSpec {
  const blocks = kvBlocksFor(values);
  const gpu = text(values, 'gpu');
  const count = number(values, 'instances');
  return clusterSpec.parse({
    model: text(values, 'model'),
    instances: Array.from({ length: count }, (_, i) => ({
      name: `${gpu}-${i}`,
      pool: role(i, count),
      serves: 'modelled' as const,
      cost: costOf(values, i, count),
      kv_blocks: blocks,
    })),
    kv: {
      block_tokens: number(values, 'block_tokens'),
      prefix_reuse: values['prefix_reuse'] === true,
    },
    ...schedulerAndLink(values),
  });
}

/** Instances of the decode pool with the coefficients that were given to it. */
function withDecodePoolCost(cluster: ClusterSpec, values: ParameterValues): ClusterSpec {
  const cost = decodePoolCost(values);
  if (cost === undefined) return cluster;
  return {
    ...cluster,
    instances: cluster.instances.map((instance) =>
      instance.pool === 'decode' ? { ...instance, cost } : instance,
    ),
  };
}

/** With the shapes of models that were read from files, so that the spec holds everything. */
function withModels(spec: RunSpec): RunSpec {
  const { cluster, policy } = spec;
  const draft = cluster.technique?.kind === 'speculation' ? cluster.technique.draft : undefined;
  const models = declaredAmong([
    cluster.model,
    ...cluster.instances.flatMap(({ model }) => model ?? []),
    ...(policy.complexity?.ladder ?? []),
    ...(draft?.kind === 'model' ? [draft.model] : []),
  ]);
  return models === undefined ? spec : { ...spec, models };
}

/** The schema's first complaint as an InputError: a target made a spec that cannot be. */
export function checkedSpec(spec: unknown): RunSpec {
  const parsed = runSpec.safeParse(spec);
  if (parsed.success) return withModels(parsed.data);
  const issue = parsed.error.issues[0];
  throw new InputError(`run spec: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
}

/** What a variant may change of the spec that the shared parameters give. */
export type ServingParts = Omit<
  RunSpec,
  'schema' | 'target' | 'variant' | 'engine' | 'parameters' | 'seed' | 'iterations'
>;

export interface ServingTarget extends Pick<Target, 'claims' | 'fairBaseline' | 'replicates'> {
  readonly id: string;
  readonly chapter: string;
  readonly title: string;
  readonly summary: string;
  readonly lesson: string;
  readonly variants: readonly Variant[];
  /** Its own parameters, shown beside the shared ones. */
  readonly parameters: readonly Parameter[];
  /** Other defaults of shared parameters. */
  readonly defaults?: Readonly<Record<string, ParameterValue>>;
  /** Shared parameters that it does not offer, and the values that it uses for them. */
  readonly fixed?: Readonly<Record<string, ParameterValue>>;
  /** The spec's parts of a variant; `base` is equal mixed instances behind round robin. Throws InputError. */
  parts(variant: string, values: ParameterValues, base: ServingParts): ServingParts;
}

const shared: readonly Parameter[] = [
  ...trafficParameters,
  ...clusterParameters,
  ...schedulerParameters,
  ...sloParameters,
];

/** The parameter with another default. Throws where the default is of another kind: a mistake in the target's file. */
function withDefault(parameter: Parameter, value: ParameterValue): Parameter {
  const fits =
    parameter.kind === 'choice'
      ? typeof value === 'string'
      : parameter.kind === 'boolean'
        ? typeof value === 'boolean'
        : parameter.kind === 'text'
          ? typeof value === 'string'
          : typeof value === 'number';
  if (!fits) throw new Error(`parameter ${parameter.id}: the default ${value} is of another kind`);
  // The kind was compared just above; TypeScript does not follow it through the union.
  return { ...parameter, default: value } as Parameter;
}

/**
 * A simulated serving target: traffic, cluster, scheduler and objectives from the shared parameters, and what its variants
 * change of them. Throws where `defaults` or `fixed` name a parameter that is not shared.
 */
export function servingTarget(definition: ServingTarget): Target {
  const { id, variants, defaults = {}, fixed = {} } = definition;
  for (const name of [...Object.keys(defaults), ...Object.keys(fixed)]) {
    if (!shared.some((p) => p.id === name)) throw new Error(`${id}: no shared parameter "${name}"`);
  }
  const parameters: readonly Parameter[] = [
    ...shared
      .filter((p) => fixed[p.id] === undefined)
      .map((p) => {
        const value = defaults[p.id];
        return value === undefined ? p : withDefault(p, value);
      }),
    ...definition.parameters,
  ];
  return {
    id,
    ...(definition.claims === undefined ? {} : { claims: definition.claims }),
    ...(definition.fairBaseline === undefined ? {} : { fairBaseline: definition.fairBaseline }),
    ...(definition.replicates === undefined ? {} : { replicates: definition.replicates }),
    chapter: definition.chapter,
    title: definition.title,
    summary: definition.summary,
    lesson: definition.lesson,
    variants,
    parameters,
    spec({ variant, engine, parameters: given, traffic, seed, iterations }): RunSpec {
      const chosen = completeValues(parameters, given);
      if (!variants.some((v) => v.id === variant)) {
        throw new InputError(
          `variant "${variant}": not one of ${variants.map((v) => v.id).join(', ')} of ${id}`,
        );
      }
      const values = { ...fixed, ...chosen };
      const cluster = equalInstances(values);
      const parts = definition.parts(variant, values, {
        traffic: traffic ?? generatedTraffic(values),
        cluster,
        policy: { router: 'round_robin', router_parameters: {} },
        slo: { ttft_ms: number(values, 'slo_ttft_ms'), tpot_ms: number(values, 'slo_tpot_ms') },
        // A large cluster would write a row per instance and request: every hundredth request explains as much.
        detail: {
          requests: 'all',
          decisions: cluster.instances.length <= 64 ? 'all' : 100,
          iterations: 'all',
        },
      });
      return checkedSpec({
        schema: 2,
        target: id,
        variant,
        engine,
        parameters: chosen,
        ...parts,
        cluster: withDecodePoolCost(parts.cluster, values),
        seed,
        iterations,
      });
    },
  };
}
