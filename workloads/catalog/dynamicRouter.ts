import { findGpu } from '../hardware/gpus.ts';
import {
  type ClusterSpec,
  clusterSpec,
  type InstanceSpec,
  type LengthSpec,
  type PoolRole,
  type RunSpec,
  runSpec,
  type TrafficSpec,
} from '../harness/spec.ts';
import { findModel } from '../model/models.ts';
import { kvBlocksThatFit, weightBytes } from '../model/shape.ts';
import { findRouter } from '../routing/routers.ts';
import { score } from '../routing/score.ts';
import { InputError } from '../traffic/traffic.ts';
import { dynamicRouterParameters } from './dynamicRouterParameters.ts';
import { isLabScenario, labScenarios } from './labScenarios.ts';
import type { ParameterValue, ParameterValues } from './parameter.ts';
import type { Target } from './target.ts';
import { completeValues } from './values.ts';

const variants: Target['variants'] = [
  {
    id: 'baseline',
    label: 'Round robin',
    description: 'One pool; the next instance in turn computes the prompt and decodes.',
  },
  {
    id: 'optimized',
    label: 'Telemetry score',
    description:
      'One pool; the instance with the best sum of normalised terms, prefix cache included; hand-overs and migrations where they pay.',
  },
  {
    id: 'as_published',
    label: 'Score as published',
    description: 'Prefill and decode pools and the lab’s original score with its mixed units.',
  },
  {
    id: 'policy',
    label: 'Another policy',
    description: 'One pool and a published policy: SGLang, llm-d, vLLM, Dynamo, Mooncake and others.',
  },
];

/** The router of a variant; undefined for a variant that the target does not have. */
function routerOf(variant: string, values: ParameterValues): string | undefined {
  switch (variant) {
    case 'baseline':
      return 'round_robin';
    case 'optimized':
      return 'score';
    case 'as_published':
      return 'as_published';
    case 'policy':
      return text(values, 'router');
    default:
      return undefined;
  }
}

/** KV bytes per token in the lab's scenarios, which name no model: an 8-billion-parameter one. */
const labModel = 'llama-3.1-8b';
const labKvBytes = 40e9;
const labBlockTokens = 16;

const number = (values: ParameterValues, id: string): number => {
  const value = values[id];
  if (typeof value !== 'number') throw new InputError(`parameter ${id}: missing, expected a number`);
  return value;
};
const text = (values: ParameterValues, id: string): string => String(values[id]);

const logNormal = (median: number, sigma: number, max: number): LengthSpec => ({
  kind: 'lognormal',
  median,
  sigma,
  min: 1,
  max,
});

function trafficSpecOf(values: ParameterValues): TrafficSpec {
  if (isLabScenario(text(values, 'scenario'))) {
    return {
      kind: 'lab',
      arrivals_per_tick: number(values, 'arrivals_per_tick'),
      burst_factor: number(values, 'burst_factor'),
      ticks: number(values, 'ticks'),
      prompt: { kind: 'uniform', min: 100, max: 1200 },
      output: { kind: 'uniform', min: 32, max: 256 },
    };
  }
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
  return {
    kind: 'synthetic',
    requests: number(values, 'requests'),
    duration_s: 3600,
    speedup: number(values, 'speedup'),
  };
}

function homogeneousInstances(variant: string, values: ParameterValues): InstanceSpec[] {
  const model = findModel(text(values, 'model'));
  const gpu = findGpu(text(values, 'gpu'));
  if (model === undefined || gpu === undefined)
    throw new InputError('parameter model or gpu: not in the lists');
  const count = number(values, 'instances');
  const tensorParallel = number(values, 'tensor_parallel');
  const blockTokens = number(values, 'block_tokens');
  const given = text(values, 'kv_memory') === 'given';
  const blocks = given
    ? number(values, 'kv_blocks')
    : kvBlocksThatFit(model, gpu.memoryBytes, tensorParallel, blockTokens);
  if (blocks < 1) {
    const gb = (bytes: number): string => (bytes / 1e9).toFixed(1);
    throw new InputError(
      `parameter gpu: the weights of ${model.label} take ${gb(weightBytes(model))} GB, ${tensorParallel} × ${gpu.label} have ${gb(gpu.memoryBytes * tensorParallel)} GB: no room for KV; raise tensor_parallel or choose a smaller model`,
    );
  }
  const prefills = variant === 'as_published' ? number(values, 'published_prefill_instances') : 0;
  if (prefills >= count && prefills > 0) {
    throw new InputError(
      `parameter published_prefill_instances: ${prefills} of ${count} instances leave none to decode, expected at most ${count - 1}`,
    );
  }
  const role = (i: number): PoolRole => (prefills === 0 ? 'mixed' : i < prefills ? 'prefill' : 'decode');
  return Array.from({ length: count }, (_, i) => ({
    name: `${gpu.id}-${i}`,
    pool: role(i),
    cost: {
      kind: 'roofline',
      gpu: gpu.id,
      tensor_parallel: tensorParallel,
      compute_efficiency: number(values, 'compute_efficiency'),
      memory_efficiency: number(values, 'memory_efficiency'),
      iteration_overhead_us: number(values, 'iteration_overhead_us'),
    },
    kv_blocks: blocks,
  }));
}

function clusterOf(variant: string, values: ParameterValues): ClusterSpec {
  const scenario = text(values, 'scenario');
  const scheduler = {
    max_batched_tokens: number(values, 'max_batched_tokens'),
    max_sequences: number(values, 'max_sequences'),
  };
  const link = {
    bandwidth_gb_per_s: number(values, 'link_gb_per_s'),
    latency_us: number(values, 'link_latency_us'),
  };
  if (!isLabScenario(scenario)) {
    return clusterSpec.parse({
      model: text(values, 'model'),
      instances: homogeneousInstances(variant, values),
      scheduler,
      kv: {
        block_tokens: number(values, 'block_tokens'),
        prefix_reuse: values['prefix_reuse'] === true,
      },
      link,
    });
  }
  const kvBlocks = Math.floor(labKvBytes / (131072 * labBlockTokens));
  return clusterSpec.parse({
    model: labModel,
    instances: labScenarios[scenario].map((gpu) => ({
      name: gpu.name,
      // The baseline and the mended score use every GPU for what it is good at; the published design splits the pools.
      pool: variant === 'as_published' ? gpu.role : 'mixed',
      cost: {
        kind: 'rates',
        prefill_tokens_per_s: gpu.prefill,
        decode_tokens_per_s: gpu.decode,
        iteration_overhead_us: 0,
      },
      kv_blocks: kvBlocks,
      hourly_cost: gpu.hourly,
    })),
    scheduler,
    kv: { block_tokens: labBlockTokens, prefix_reuse: true },
    link,
  });
}

function routerParameters(variant: string, values: ParameterValues): Record<string, ParameterValue> {
  if (variant === 'as_published') return { telemetry_refresh_ms: 50 };
  if (variant === 'policy') {
    const own = findRouter(text(values, 'router'))?.parameters ?? [];
    const refresh = text(values, 'policy_refresh');
    return Object.fromEntries(
      own.map((p) => {
        if (p.id !== 'telemetry_refresh_ms') return [p.id, values[p.id] ?? p.default];
        return [p.id, refresh === 'published' ? p.default : Number(refresh)];
      }),
    );
  }
  if (variant !== 'optimized') return {};
  return Object.fromEntries(score.parameters.map((p) => [p.id, values[p.id] ?? p.default]));
}

export const dynamicRouter: Target = {
  id: 'labs/dynamic_router:dynamic_router',
  chapter: 'labs',
  title: 'Dynamic prefill/decode router',
  summary:
    'Which instance should a request go to? Round robin against a score of live telemetry, and against the score as it was published.',
  lesson: `**Look at** TTFT p95 and goodput of both variants, then at the load per instance, then click a request and read its score.

**What was claimed.** A router that scores telemetry beats round robin. The lab's score adds 1/(1 + TTFT), tokens per second and free gigabytes as they come. Tokens per second run into the thousands, everything else stays below a hundred: the busy instance wins again, and the idle ones starve. At the lab's default rate its TTFT p95 is twelve times round robin's in the lab's own simulator, and twice here, where GPUs batch. Run the variant *as published* and look at one decision: one column is all of the total.

**What holds.** Measured in units of the objective each term endangers, the terms weigh alike: time until the first token over its objective, a decode pass over its objective, prefill time saved by the prefix cache. Then telemetry pays: in the wait behind long prompts, in the difference between fast and slow GPUs, and in prompts that need not be computed again.

**What to try.** Raise the telemetry refresh and watch requests herd on the instance that looked idle. Set the locality weight to 0, then to 10: cache hits against queues. Where arrivals are few, goodput cannot rise above them: a better router shows in TTFT alone.`,
  engines: ['sim'],
  variants,
  parameters: dynamicRouterParameters,
  spec({ variant, engine, parameters: given, traffic, seed, iterations }): RunSpec {
    const values = completeValues(dynamicRouterParameters, given);
    const router = routerOf(variant, values);
    if (router === undefined) {
      throw new InputError(
        `variant "${variant}": not one of ${variants.map((v) => v.id).join(', ')} of ${dynamicRouter.id}`,
      );
    }
    const lab = isLabScenario(text(values, 'scenario'));
    const cluster = clusterOf(variant, values);
    const spec = runSpec.safeParse({
      schema: 1,
      target: dynamicRouter.id,
      variant,
      engine,
      parameters: values,
      traffic: traffic ?? trafficSpecOf(values),
      cluster,
      policy: { router, router_parameters: routerParameters(variant, values) },
      slo: lab
        ? { ttft_ms: number(values, 'lab_slo_ttft_ms'), tpot_ms: number(values, 'lab_slo_tpot_ms') }
        : { ttft_ms: number(values, 'slo_ttft_ms'), tpot_ms: number(values, 'slo_tpot_ms') },
      seed,
      iterations,
      // A large cluster would write a row per instance and request: every hundredth request explains as much.
      detail: { requests: 'all', decisions: cluster.instances.length <= 64 ? 'all' : 100, iterations: 'all' },
    });
    if (!spec.success) {
      const issue = spec.error.issues[0];
      throw new InputError(`run spec: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
    }
    return spec.data;
  },
};
