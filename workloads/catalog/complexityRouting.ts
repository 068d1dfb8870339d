import { complexity } from '../routing/complexity.ts';
import type { ClassifierSpec } from '../run/complexitySpec.ts';
import { InputError } from '../run/inputError.ts';
import type { NumberParameter, Parameter, ParameterValues } from '../run/parameter.ts';
import type { ClusterSpec } from '../run/spec.ts';
import { equalInstances, number, servingTarget } from './servingBase.ts';

/** The sizes, smallest first, each with the GPUs that one instance of it takes by default. */
const sizes = [
  { id: 'small', model: 'llama-3.2-1b', label: 'Llama 3.2 1B', gpus: 1, instances: 2, mix: 0.6 },
  { id: 'medium', model: 'llama-3.1-8b', label: 'Llama 3.1 8B', gpus: 1, instances: 2, mix: 0.3 },
  { id: 'large', model: 'llama-3.1-70b', label: 'Llama 3.1 70B', gpus: 4, instances: 1, mix: 0.1 },
] as const;
type Size = (typeof sizes)[number];
const large = sizes[2];

const own: readonly Parameter[] = [
  ...sizes.map(
    ({ id, label, instances }): NumberParameter => ({
      kind: 'integer',
      id: `${id}_instances`,
      label: `Instances of ${label}`,
      group: 'cluster',
      unit: 'instances',
      min: id === 'large' ? 1 : 0,
      max: 256,
      default: instances,
      help: `Replicas of the ${id} model in the mixed fleet. The baseline has as many GPUs in all, every one of them for the large model.`,
    }),
  ),
  {
    kind: 'integer',
    id: 'large_gpus',
    label: 'GPUs of a large instance',
    group: 'cluster',
    unit: 'GPUs',
    min: 1,
    max: 8,
    default: large.gpus,
    help: 'Tensor parallelism of the large model.',
  },
  ...sizes.map(
    ({ id, label, mix }): NumberParameter => ({
      kind: 'number',
      id: `${id}_share`,
      label: `Need the ${id} model`,
      group: 'traffic',
      unit: '',
      min: 0,
      max: 1,
      step: 0.05,
      default: mix,
      help: `Share of the requests that ${label} is the smallest model to answer well; the three are taken in proportion.`,
    }),
  ),
  {
    kind: 'number',
    id: 'length_correlation',
    label: 'Long prompts are hard',
    group: 'traffic',
    unit: '',
    min: 0,
    max: 1,
    step: 0.05,
    default: 0.3,
    help: 'Correlation of a request’s difficulty with the logarithm of its prompt’s length. 0: length says nothing; 1: it says all.',
  },
  {
    kind: 'number',
    id: 'classifier_accuracy',
    label: 'Accuracy of the classifier',
    group: 'policy',
    unit: '',
    min: 0,
    max: 1,
    step: 0.01,
    default: 0.9,
    variants: ['optimized'],
    help: 'How often it names the right class; otherwise one of the others, each as likely. Its own time is not modelled.',
  },
  {
    kind: 'integer',
    id: 'medium_from_tokens',
    label: 'Medium from',
    group: 'policy',
    unit: 'tokens',
    min: 1,
    max: 100_000,
    log: true,
    default: 1300,
    variants: ['prompt_length'],
    help: 'Prompts from this length on go to the medium model.',
  },
  {
    kind: 'integer',
    id: 'large_from_tokens',
    label: 'Large from',
    group: 'policy',
    unit: 'tokens',
    min: 1,
    max: 100_000,
    log: true,
    default: 3600,
    variants: ['prompt_length'],
    help: 'Prompts from this length on go to the large model.',
  },
  ...complexity.parameters.map(
    (p): Parameter => ({ ...p, variants: ['baseline', 'optimized', 'prompt_length', 'oracle'] }),
  ),
];

/** Instances of one size; `model` and GPUs are the size's. */
function instancesOf(size: Size, count: number, values: ParameterValues): ClusterSpec['instances'] {
  if (count === 0) return [];
  const gpus = size.id === 'large' ? number(values, 'large_gpus') : size.gpus;
  const cluster = equalInstances({
    ...values,
    model: size.model,
    tensor_parallel: gpus,
    instances: count,
  });
  return cluster.instances.map((instance, i) => ({
    ...instance,
    name: `${size.id}-${i}`,
    ...(size.id === 'large' ? {} : { model: size.model }),
  }));
}

function mixedFleet(values: ParameterValues): ClusterSpec['instances'] {
  return sizes.flatMap((size) => instancesOf(size, number(values, `${size.id}_instances`), values));
}

/** As many GPUs as the mixed fleet has, for the large model alone; what is left over stays unused. */
function largeFleet(values: ParameterValues): ClusterSpec['instances'] {
  const each = number(values, 'large_gpus');
  const gpus = sizes.reduce(
    (sum, { id, gpus: own }) => sum + number(values, `${id}_instances`) * (id === 'large' ? each : own),
    0,
  );
  return instancesOf(large, Math.floor(gpus / each), values);
}

function classifierOf(variant: string, values: ParameterValues): ClassifierSpec {
  switch (variant) {
    case 'optimized':
      return { kind: 'noisy', accuracy: number(values, 'classifier_accuracy') };
    case 'oracle':
      return { kind: 'oracle' };
    case 'prompt_length':
      return {
        kind: 'length',
        from_tokens: [number(values, 'medium_from_tokens'), number(values, 'large_from_tokens')],
      };
    default:
      return { kind: 'none' };
  }
}

export const complexityRouting = servingTarget({
  id: 'ch17:dynamic_routing',
  chapter: 'ch17',
  title: 'Routing by complexity',
  summary:
    'Easy requests to small models: what it saves in GPU time, and what it costs in answers that fall short.',
  lesson: `**Look at** goodput, at *adequately answered*, and at the requests per instance. A request’s class is hidden; it is answered adequately by a model at least as large as its class asks for. That is a stand-in for quality: no model’s answers were judged.

**What was claimed.** The original times a decision loop: 1,024 made-up requests against queues that never change, 2.29 ms in Python against 0.05 ms for sums over tensors. Nobody is served, the estimate is a constant 320 ms below the limit of 500, nothing is ever rejected. A decision here takes about 1.4 µs for five instances (measured, shared CPU core): the loop is not what matters. Whom it sends where is.

**What holds here** (eight H200, 12 requests/s for ten minutes, seed 0; the baseline’s GPUs all serve the 70B model, the others’ 1B, 8B and 70B; good = TTFT ≤ 1 s and TPOT ≤ 50 ms).

| by | adequate | good | TTFT p95 |
|---|---|---|---|
| nothing, all large | 100 % | 49 % | 1.66 s |
| classifier, 90 % right | 97.5 % | 99 % | 0.24 s |
| prompt length | 76 % | 94 % | 0.97 s |
| the truth | 100 % | 99 % | 0.21 s |
| shortest queue | 68 % | 100 % | 0.08 s |

- At 95 % good, the large model alone carries about 9 requests/s on these GPUs, the mixed fleet 28 with the classifier and 34 with the truth. A wrong word upward costs capacity, a wrong word downward costs an answer.
- The classifier’s accuracy is what counts: at 28 requests/s, 90, 70 and 50 % right leave 97.5, 92.7 and 87.5 % adequate, and 96, 84 and 73 % good.
- Length is a poor judge where it correlates with difficulty by 0.3 only: a quarter of the answers fall short, and the large model gets the long prompts that cost most.
- The shortest queue looks best by every latency, since the small model is never busy for long; a third of its answers fall short. Latency alone would choose it.
- Busy GPU-seconds hardly tell the fleets apart at rates that both can carry: an instance with one request is as busy as one with a hundred. At 28 requests/s and more they do.

**What to try.** *Long prompts are hard* 1 makes length as good a judge as the thresholds are well set. *Accuracy* 0.5. *Arrival rate* 28.`,
  variants: [
    {
      id: 'baseline',
      label: 'Everything to the large model',
      description: 'All GPUs serve the large model; the instance with the least estimated wait.',
    },
    {
      id: 'optimized',
      label: 'By a classifier',
      description:
        'Three sizes; the smallest that a noisy classifier holds to be enough, or a larger one where its queue is short.',
    },
    {
      id: 'prompt_length',
      label: 'By prompt length',
      description: 'Three sizes; long prompts count as hard.',
    },
    {
      id: 'oracle',
      label: 'By the truth',
      description: 'Three sizes and a classifier that is never wrong: the bound.',
    },
    {
      id: 'blind',
      label: 'Shortest queue',
      description:
        'Three sizes behind a router that knows of no sizes: the instance with the fewest requests.',
    },
  ],
  parameters: own,
  defaults: {
    traffic: 'open',
    rate_rps: 12,
    duration_s: 600,
    prompt_median: 1000,
    prefix_share: 0,
    slo_ttft_ms: 1000,
  },
  fixed: { model: large.model, tensor_parallel: large.gpus, instances: 1, kv_memory: 'fit', kv_blocks: 5859 },
  parts(variant, values, base) {
    const instances = variant === 'baseline' ? largeFleet(values) : mixedFleet(values);
    if (sizes.every(({ id }) => number(values, `${id}_share`) === 0)) {
      throw new InputError('parameters small_share, medium_share, large_share: all 0, expected one above 0');
    }
    const blind = variant === 'blind';
    return {
      ...base,
      cluster: { ...base.cluster, instances },
      policy: {
        router: blind ? 'least_outstanding' : complexity.id,
        router_parameters: blind
          ? {}
          : Object.fromEntries(complexity.parameters.map((p) => [p.id, values[p.id] ?? p.default])),
        complexity: {
          ladder: sizes.map(({ model }) => model),
          mix: sizes.map(({ id }) => number(values, `${id}_share`)),
          length_correlation: number(values, 'length_correlation'),
          classifier: classifierOf(variant, values),
        },
      },
    };
  },
});
