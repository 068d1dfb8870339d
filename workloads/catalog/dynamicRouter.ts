import { findGpu, gpus } from '../hardware/gpus.ts';
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
import { findModel, models } from '../model/models.ts';
import { kvBlocksThatFit, weightBytes } from '../model/shape.ts';
import { findRouter, routers } from '../routing/routers.ts';
import { score } from '../routing/score.ts';
import { InputError } from '../traffic/traffic.ts';
import { isLabScenario, labScenarios } from './labScenarios.ts';
import type { Parameter, ParameterValue, ParameterValues } from './parameter.ts';
import type { Target } from './target.ts';
import { completeValues } from './values.ts';

const onlyHomogeneous = { parameter: 'scenario', is: ['homogeneous'] } as const;
const onlyLab = { parameter: 'scenario', is: ['flagship_vs_mid', 'mig_slices'] } as const;

const otherRouters = routers.filter((r) => !['round_robin', 'score', 'as_published'].includes(r.id));

const parameters: readonly Parameter[] = [
  {
    kind: 'choice',
    id: 'scenario',
    label: 'Scenario',
    group: 'cluster',
    default: 'homogeneous',
    choices: [
      {
        id: 'homogeneous',
        label: 'Like GPUs',
        help: 'Equal instances of one model, timed by a roofline of its shape on the data sheet.',
      },
      {
        id: 'flagship_vs_mid',
        label: 'Flagship and mid GPUs (lab)',
        help: 'The lab’s six GPUs with fixed rates: two fast at prompts, one fast at decoding, three middling.',
      },
      {
        id: 'mig_slices',
        label: 'One GPU and four slices (lab)',
        help: 'The lab’s five: one whole GPU and four slices of one.',
      },
    ],
    help: 'Which cluster the router works on.',
  },
  {
    kind: 'choice',
    id: 'traffic',
    label: 'Traffic',
    group: 'traffic',
    default: 'synthetic',
    when: onlyHomogeneous,
    choices: [
      {
        id: 'synthetic',
        label: 'Built-in hour',
        help: 'Sessions with growing prompts, bursts, heavy-tailed lengths.',
      },
      {
        id: 'open',
        label: 'Open loop',
        help: 'Arrivals at a given rate and burstiness, lengths from a log-normal.',
      },
    ],
    help: 'Where requests come from when no trace file is given.',
  },
  {
    kind: 'integer',
    id: 'requests',
    label: 'Requests',
    group: 'traffic',
    unit: 'requests',
    min: 10,
    max: 1_000_000,
    log: true,
    default: 6000,
    when: { parameter: 'traffic', is: ['synthetic'] },
    help: 'Requests of the built-in hour. More make it busier: the hour stays an hour.',
  },
  {
    kind: 'number',
    id: 'speedup',
    label: 'Speed-up',
    group: 'traffic',
    unit: '×',
    min: 0.01,
    max: 1000,
    log: true,
    default: 12,
    when: { parameter: 'traffic', is: ['synthetic'] },
    help: 'Divides every gap of the built-in hour. 2 doubles the load.',
  },
  {
    kind: 'number',
    id: 'rate_rps',
    label: 'Arrival rate',
    group: 'traffic',
    unit: 'requests/s',
    min: 0.01,
    max: 100_000,
    log: true,
    default: 40,
    when: { parameter: 'traffic', is: ['open'] },
    help: 'Mean arrivals per second.',
  },
  {
    kind: 'number',
    id: 'arrival_cv',
    label: 'Burstiness',
    group: 'traffic',
    unit: '',
    min: 0.05,
    max: 20,
    log: true,
    default: 1,
    when: { parameter: 'traffic', is: ['open'] },
    help: 'Coefficient of variation of the gaps: 1 is Poisson, more is burstier at the same rate.',
  },
  {
    kind: 'number',
    id: 'duration_s',
    label: 'Duration',
    group: 'traffic',
    unit: 's',
    min: 1,
    max: 86_400,
    log: true,
    default: 120,
    when: { parameter: 'traffic', is: ['open'] },
    help: 'How long requests arrive.',
  },
  {
    kind: 'integer',
    id: 'prompt_median',
    label: 'Prompt, median',
    group: 'traffic',
    unit: 'tokens',
    min: 1,
    max: 100_000,
    log: true,
    default: 2000,
    when: { parameter: 'traffic', is: ['open'] },
    help: 'Median of a log-normal with σ 1, cut at 100,000 tokens.',
  },
  {
    kind: 'integer',
    id: 'output_median',
    label: 'Output, median',
    group: 'traffic',
    unit: 'tokens',
    min: 1,
    max: 10_000,
    log: true,
    default: 200,
    when: { parameter: 'traffic', is: ['open'] },
    help: 'Median of a log-normal with σ 0.8, cut at 10,000 tokens.',
  },
  {
    kind: 'number',
    id: 'prefix_share',
    label: 'Shared prefixes',
    group: 'traffic',
    unit: '',
    min: 0,
    max: 1,
    step: 0.05,
    default: 0.5,
    when: { parameter: 'traffic', is: ['open'] },
    help: 'Share of requests that continue a session or start with a prefix seen before.',
  },
  {
    kind: 'number',
    id: 'arrivals_per_tick',
    label: 'Arrivals per tick (λ)',
    group: 'traffic',
    unit: 'requests / 50 ms',
    min: 0.01,
    max: 50,
    step: 0.1,
    default: 0.9,
    when: onlyLab,
    help: 'Mean of the lab’s Poisson arrivals per tick of 50 ms; 0.9 is 18 requests per second.',
  },
  {
    kind: 'number',
    id: 'burst_factor',
    label: 'Burst factor',
    group: 'traffic',
    unit: '×',
    min: 1,
    max: 20,
    default: 1,
    when: onlyLab,
    help: 'One tick in five has this many times the arrivals.',
  },
  {
    kind: 'integer',
    id: 'ticks',
    label: 'Ticks',
    group: 'traffic',
    unit: 'ticks',
    min: 10,
    max: 1_000_000,
    log: true,
    default: 4000,
    when: onlyLab,
    help: 'Length of the run in ticks of 50 ms. The lab ran 400; longer runs give narrower intervals.',
  },
  {
    kind: 'choice',
    id: 'model',
    label: 'Model',
    group: 'model',
    default: 'llama-3.1-8b',
    when: onlyHomogeneous,
    choices: models.map((m) => ({ id: m.id, label: m.label })),
    help: 'Shape from which FLOPs, bytes and KV size follow.',
  },
  {
    kind: 'choice',
    id: 'gpu',
    label: 'GPU',
    group: 'cluster',
    default: 'h200',
    when: onlyHomogeneous,
    choices: gpus.map((g) => ({ id: g.id, label: g.label })),
    help: 'Data sheet of every instance’s GPUs.',
  },
  {
    kind: 'integer',
    id: 'instances',
    label: 'Instances',
    group: 'cluster',
    unit: 'instances',
    min: 1,
    max: 1024,
    default: 8,
    when: onlyHomogeneous,
    help: 'Replicas of the model behind the router.',
  },
  {
    kind: 'integer',
    id: 'tensor_parallel',
    label: 'Tensor parallelism',
    group: 'cluster',
    unit: 'GPUs',
    min: 1,
    max: 8,
    default: 1,
    when: onlyHomogeneous,
    help: 'GPUs per instance. More shorten each pass and leave more room for KV, at the price of all-reduces.',
  },
  {
    kind: 'integer',
    id: 'published_prefill_instances',
    label: 'Prefill instances, as published',
    group: 'cluster',
    unit: 'instances',
    min: 1,
    max: 512,
    default: 2,
    when: onlyHomogeneous,
    variants: ['as_published'],
    help: 'The published design needs two pools: so many instances compute prompts, the rest decode.',
  },
  {
    kind: 'choice',
    id: 'kv_memory',
    label: 'KV memory',
    group: 'cluster',
    default: 'fit',
    when: onlyHomogeneous,
    choices: [
      { id: 'fit', label: 'What fits', help: '90 % of the GPUs’ memory, less weights and activations.' },
      { id: 'given', label: 'A given number of blocks' },
    ],
    help: 'How many KV blocks an instance has.',
  },
  {
    kind: 'integer',
    id: 'kv_blocks',
    label: 'KV blocks',
    group: 'cluster',
    unit: 'blocks',
    min: 1,
    max: 100_000_000,
    log: true,
    default: 5859,
    when: { parameter: 'kv_memory', is: ['given'] },
    help: 'Blocks per instance, of the block size below. 5,859 blocks of 512 tokens are 3 million tokens, Mooncake’s node.',
  },
  {
    kind: 'integer',
    id: 'block_tokens',
    label: 'KV block',
    group: 'cluster',
    unit: 'tokens',
    min: 1,
    max: 4096,
    log: true,
    default: 16,
    when: onlyHomogeneous,
    help: 'Tokens per KV block. Traffic that names its prefixes by block brings its own size; memory stays the same.',
  },
  {
    kind: 'boolean',
    id: 'prefix_reuse',
    label: 'Prefix cache',
    group: 'cluster',
    default: true,
    when: onlyHomogeneous,
    help: 'Keeps computed prompt blocks for later requests with the same prefix.',
  },
  {
    kind: 'number',
    id: 'compute_efficiency',
    label: 'Compute efficiency',
    group: 'model',
    unit: '',
    min: 0.05,
    max: 1,
    step: 0.05,
    default: 0.6,
    when: onlyHomogeneous,
    help: 'Share of the data sheet’s dense FLOP/s that large matrix products reach.',
  },
  {
    kind: 'number',
    id: 'memory_efficiency',
    label: 'Memory efficiency',
    group: 'model',
    unit: '',
    min: 0.05,
    max: 1,
    step: 0.05,
    default: 0.8,
    when: onlyHomogeneous,
    help: 'Share of the data sheet’s memory bandwidth that decoding reaches.',
  },
  {
    kind: 'number',
    id: 'iteration_overhead_us',
    label: 'Overhead per pass',
    group: 'scheduler',
    unit: 'µs',
    min: 0,
    max: 100_000,
    default: 500,
    when: onlyHomogeneous,
    help: 'Scheduling, launches and sampling: time of a pass that no arithmetic explains.',
  },
  {
    kind: 'integer',
    id: 'max_batched_tokens',
    label: 'Token budget',
    group: 'scheduler',
    unit: 'tokens',
    min: 16,
    max: 1_000_000,
    log: true,
    default: 8192,
    help: 'Most tokens of one forward pass. Larger computes prompts faster and makes those who decode wait longer.',
  },
  {
    kind: 'integer',
    id: 'max_sequences',
    label: 'Most sequences',
    group: 'scheduler',
    unit: 'sequences',
    min: 1,
    max: 8192,
    log: true,
    default: 256,
    help: 'Most requests in one batch.',
  },
  {
    kind: 'number',
    id: 'link_gb_per_s',
    label: 'Link bandwidth',
    group: 'cluster',
    unit: 'GB/s',
    min: 0.1,
    max: 10_000,
    log: true,
    default: 43,
    help: 'KV transfers between instances, per direction: 43 is 400 Gbit/s RDMA as measured, 360 NVLink 4.',
  },
  {
    kind: 'number',
    id: 'link_latency_us',
    label: 'Link latency',
    group: 'cluster',
    unit: 'µs',
    min: 0,
    max: 1_000_000,
    default: 500,
    help: 'Added to every transfer: handshake and registration included.',
  },
  ...score.parameters.map((p): Parameter => ({ ...p, variants: ['optimized'] })),
  {
    kind: 'choice',
    id: 'router',
    label: 'Policy',
    group: 'policy',
    default: 'sglang_cache_aware',
    variants: ['policy'],
    choices: otherRouters.map((router) => ({ id: router.id, label: router.label, help: router.help })),
    help: 'A policy as its authors publish it.',
  },
  {
    kind: 'choice',
    id: 'policy_refresh',
    label: 'Telemetry refresh of the policy',
    group: 'policy',
    default: 'published',
    variants: ['policy'],
    choices: [
      { id: 'published', label: 'As published' },
      { id: '0', label: 'Always fresh' },
      { id: '100', label: '100 ms' },
      { id: '1000', label: '1 s' },
      { id: '10000', label: '10 s' },
    ],
    help: 'How old the telemetry may be on which the policy decides.',
  },
  ...otherRouters.flatMap((router) =>
    router.parameters
      .filter((p) => p.id !== 'telemetry_refresh_ms')
      .map(
        (p): Parameter => ({ ...p, when: { parameter: 'router', is: [router.id] }, variants: ['policy'] }),
      ),
  ),
  {
    kind: 'number',
    id: 'slo_ttft_ms',
    label: 'TTFT objective',
    group: 'slo',
    unit: 'ms',
    min: 1,
    max: 600_000,
    log: true,
    default: 2000,
    when: onlyHomogeneous,
    help: 'A request is good only if its first token comes within this time.',
  },
  {
    kind: 'number',
    id: 'slo_tpot_ms',
    label: 'TPOT objective',
    group: 'slo',
    unit: 'ms',
    min: 0.1,
    max: 60_000,
    log: true,
    default: 50,
    when: onlyHomogeneous,
    help: 'A request is good only if its tokens follow each other this fast on average.',
  },
  {
    kind: 'number',
    id: 'lab_slo_ttft_ms',
    label: 'TTFT objective (lab)',
    group: 'slo',
    unit: 'ms',
    min: 1,
    max: 600_000,
    log: true,
    default: 350,
    when: onlyLab,
    help: 'The lab’s objective for the first token.',
  },
  {
    kind: 'number',
    id: 'lab_slo_tpot_ms',
    label: 'TPOT objective (lab)',
    group: 'slo',
    unit: 'ms',
    min: 0.1,
    max: 60_000,
    log: true,
    default: 45,
    when: onlyLab,
    help: 'The lab’s objective per output token.',
  },
];

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

**What was claimed.** A router that scores telemetry beats round robin. The lab's score adds 1/(1 + TTFT), tokens per second and free gigabytes as they come. Tokens per second run into the thousands, everything else stays below a hundred: the busy instance wins again, and the idle ones starve. At the lab's own default rate the published score is slower than round robin by a factor of ten. Run the variant *as published* and look at one decision: one column is all of the total.

**What holds.** Measured in units of the objective each term endangers, the terms weigh alike: time until the first token over its objective, a decode pass over its objective, prefill time saved by the prefix cache. Then telemetry pays: in the wait behind long prompts, in the difference between fast and slow GPUs, and in prompts that need not be computed again.

**What to try.** Raise the telemetry refresh and watch requests herd on the instance that looked idle. Set the locality weight to 0, then to 10: cache hits against queues. Where arrivals are few, goodput cannot rise above them: a better router shows in TTFT alone.`,
  engines: ['sim'],
  variants,
  parameters,
  spec({ variant, engine, parameters: given, traffic, seed, iterations }): RunSpec {
    const values = completeValues(parameters, given);
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
