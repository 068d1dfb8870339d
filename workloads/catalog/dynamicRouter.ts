import { findRouter } from '../routing/routers.ts';
import { score } from '../routing/score.ts';
import { InputError } from '../run/inputError.ts';
import type { ParameterValue, ParameterValues } from '../run/parameter.ts';
import { type ClusterSpec, clusterSpec, type RunSpec, type TrafficSpec } from '../run/spec.ts';
import { dynamicRouterParameters } from './dynamicRouterParameters.ts';
import { isLabScenario, labScenarios } from './labScenarios.ts';
import { routerViewOf } from './routerViewParameters.ts';
import {
  checkedSpec,
  equalInstances,
  generatedTraffic,
  number,
  schedulerAndLink,
  text,
} from './servingBase.ts';
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
  return generatedTraffic(values);
}

/** The published design needs two pools; the others use every instance for both. */
function likeInstances(variant: string, values: ParameterValues): ClusterSpec {
  const count = number(values, 'instances');
  const prefills = variant === 'as_published' ? number(values, 'published_prefill_instances') : 0;
  if (prefills >= count && prefills > 0) {
    throw new InputError(
      `parameter published_prefill_instances: ${prefills} of ${count} instances leave none to decode, expected at most ${count - 1}`,
    );
  }
  return equalInstances(values, (i) => (prefills === 0 ? 'mixed' : i < prefills ? 'prefill' : 'decode'));
}

function clusterOf(variant: string, values: ParameterValues): ClusterSpec {
  const scenario = text(values, 'scenario');
  if (!isLabScenario(scenario)) return likeInstances(variant, values);
  const kvBlocks = Math.floor(labKvBytes / (131072 * labBlockTokens));
  return clusterSpec.parse({
    model: labModel,
    instances: labScenarios[scenario].map((gpu) => ({
      name: gpu.name,
      // The baseline and the mended score use every GPU for what it is good at; the published design splits the pools.
      pool: variant === 'as_published' ? gpu.role : 'mixed',
      serves: 'modelled' as const,
      cost: {
        kind: 'rates',
        prefill_tokens_per_s: gpu.prefill,
        decode_tokens_per_s: gpu.decode,
        iteration_overhead_us: 0,
      },
      kv_blocks: kvBlocks,
      hourly_cost: gpu.hourly,
    })),
    kv: { block_tokens: labBlockTokens, prefix_reuse: true },
    ...schedulerAndLink(values),
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

**What to try.** Raise the telemetry refresh and watch requests herd on the instance that looked idle; then use four *routers*, each of which knows only what it sent itself. Let the cache events come late: ten seconds cost nothing. Set the locality weight to 0, then to 10: cache hits against queues. Where arrivals are few, goodput cannot rise above them: a better router shows in TTFT alone.`,
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
    const view = routerViewOf(values);
    const cluster = clusterOf(variant, values);
    return checkedSpec({
      schema: 2,
      target: dynamicRouter.id,
      variant,
      engine,
      parameters: values,
      traffic: traffic ?? trafficSpecOf(values),
      cluster,
      policy: {
        router,
        router_parameters: routerParameters(variant, values),
        ...(view === undefined ? {} : { view }),
      },
      slo: lab
        ? { ttft_ms: number(values, 'lab_slo_ttft_ms'), tpot_ms: number(values, 'lab_slo_tpot_ms') }
        : { ttft_ms: number(values, 'slo_ttft_ms'), tpot_ms: number(values, 'slo_tpot_ms') },
      seed,
      iterations,
      // A large cluster would write a row per instance and request: every hundredth request explains as much.
      detail: { requests: 'all', decisions: cluster.instances.length <= 64 ? 'all' : 100, iterations: 'all' },
    });
  },
};
