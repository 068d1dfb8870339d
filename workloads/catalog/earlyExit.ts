import type { Parameter, ParameterValues } from '../run/parameter.ts';
import type { EarlyExitSpec } from '../run/techniqueSpec.ts';
import { number, servingTarget, text } from './servingBase.ts';

const exits = ['optimized', 'deepest', 'rebatched'] as const;

const parameters: readonly Parameter[] = [
  {
    kind: 'choice',
    id: 'exits',
    label: 'Exits',
    group: 'policy',
    default: 'quarters',
    choices: [
      { id: 'half', label: 'After half of the layers' },
      { id: 'quarters', label: 'After 1/2, 5/8, 3/4 and 7/8' },
      { id: 'eighths', label: 'After each eighth' },
    ],
    variants: exits,
    help: 'Where tokens may leave. More exits lose less depth, and ask for confidence more often.',
  },
  {
    kind: 'number',
    id: 'threshold',
    label: 'Confidence threshold',
    group: 'policy',
    unit: '',
    min: 0.05,
    max: 0.99,
    step: 0.05,
    default: 0.9,
    variants: exits,
    help: 'A token leaves at the first exit whose confidence reaches this. Lower is faster and agrees less with the full model.',
  },
  {
    kind: 'choice',
    id: 'confidence_check',
    label: 'Confidence from',
    group: 'policy',
    default: 'classifier',
    choices: [
      { id: 'classifier', label: 'A small classifier', help: 'Its cost is left out; it is noisier.' },
      {
        id: 'softmax',
        label: 'lm_head at each exit',
        help: 'Reads a vocabulary’s worth of weights each time.',
      },
    ],
    variants: exits,
    help: 'What is asked at each exit.',
  },
  {
    kind: 'number',
    id: 'saturation_median',
    label: 'Saturation, median depth',
    group: 'model',
    unit: '',
    min: 0.05,
    max: 0.98,
    step: 0.01,
    default: 0.75,
    variants: exits,
    help: 'Share of the layers after which half of the tokens are what the full model says. 0.75 gives LayerSkip’s mean of 23.45 of 32 layers for a plain Llama 7B; models trained for early exits saturate earlier.',
  },
  {
    kind: 'number',
    id: 'saturation_spread',
    label: 'Saturation, spread',
    group: 'model',
    unit: '',
    min: 0,
    max: 3,
    step: 0.1,
    default: 0.8,
    variants: exits,
    help: 'σ of the depth’s logit over tokens: easy and hard tokens.',
  },
  {
    kind: 'number',
    id: 'confidence_noise',
    label: 'Confidence, noise',
    group: 'model',
    unit: '',
    min: 0,
    max: 5,
    step: 0.1,
    default: 1,
    variants: exits,
    help: 'σ of a token’s confidence in logits: how often it is sure too soon or too late.',
  },
  {
    kind: 'boolean',
    id: 'fills_kv',
    label: 'Fill skipped KV',
    group: 'policy',
    default: true,
    variants: exits,
    help: 'Keys and values of skipped layers are computed from the exit’s state, so that later tokens can attend to them.',
  },
];

const exitLists: Readonly<Record<string, readonly number[]>> = {
  half: [0.5],
  quarters: [0.5, 0.625, 0.75, 0.875],
  eighths: [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875],
};

function earlyExitOf(variant: string, values: ParameterValues): EarlyExitSpec {
  return {
    kind: 'early_exit',
    exits: [...(exitLists[text(values, 'exits')] ?? [0.5])],
    threshold: number(values, 'threshold'),
    saturation: {
      median: number(values, 'saturation_median'),
      spread: number(values, 'saturation_spread'),
    },
    confidence: {
      check: text(values, 'confidence_check') === 'softmax' ? 'softmax' : 'classifier',
      softness: 0.05,
      noise: number(values, 'confidence_noise'),
    },
    batching: variant === 'deepest' ? 'deepest' : variant === 'rebatched' ? 'rebatched' : 'drop',
    fills_kv: values['fills_kv'] === true,
  };
}

export const earlyExit = servingTarget({
  id: 'ch17:inference_full',
  chapter: 'ch17',
  title: 'Early exit',
  summary:
    'Easy tokens could leave the model before its last layer. What a batch makes of that, and what it costs in answers.',
  lesson: `**Look at** TPOT, *depth of a token* against *depth of a pass*, and *agreement*; at 0.2, 2 and 16 requests per second. Sweep the threshold for the trade of answers against time.

**What was claimed.** Six layers instead of 24 and the same answer, 2.7 times faster: the lab had overwritten layers 6 to 23 with the identity. There was no confidence, no token and no batch.

**What holds.** Little, for a model that was not trained for it. The default follows LayerSkip's own example of Llama 1 7B, where a token's prediction settles after 23.45 of 32 layers on average: even a perfect oracle saves 26 %. Simulated, Llama 3.1 8B on an H100, exits after 1/2, 5/8, 3/4 and 7/8, threshold 0.9: nearly alone (0.2/s), TPOT falls from 6.2 to 5.7 ms at 99.9 % agreement; at threshold 0.5 to 5.2 ms at 85 %. With 2 requests/s a batch of three or four already goes 97 % deep: 6.56 → 6.44 ms. At 16/s the weights are read for the last straggler in every pass; what is saved is arithmetic, 6 % of TPOT where tokens leave the batch and nothing where they wait. Ideal rebatching would give 10 and 13 %; DREX (arXiv 2512.15705) measures 2 to 12 % for a real one. And asking lm_head at each exit costs more than it saves: 6.2 → 7.0 ms, since one look at a 128,256-entry vocabulary reads as much as 2.4 layers.

**How it is modelled.** A token's saturation depth and the confidence that sees it are parametric (logit-normal depth, logistic confidence with noise), not measured on a model. Agreement is per token, given the same text before it: a wrong token's consequences are not followed. Skipped layers still compute their keys and values, unless told otherwise. A model trained for exits saturates earlier: lower the median depth and watch.`,
  claims: ['tpot_ms'],
  variants: [
    { id: 'baseline', label: 'All layers', description: 'Every token goes through the whole model.' },
    {
      id: 'optimized',
      label: 'Leave the batch',
      description:
        'A token leaves at the first exit that is confident; the rest of the batch goes on without it.',
    },
    {
      id: 'deepest',
      label: 'Wait for the deepest',
      description: 'The batch stays together until its deepest token is through.',
    },
    {
      id: 'rebatched',
      label: 'Rebatched, ideal',
      description:
        'Deep layers run in full batches only, and waiting for company costs nothing: a bound on what rebatching can give.',
    },
  ],
  parameters,
  defaults: {
    traffic: 'open',
    rate_rps: 2,
    duration_s: 120,
    prompt_median: 500,
    output_median: 200,
    prefix_share: 0,
    gpu: 'h100-sxm',
    instances: 1,
  },
  parts: (variant, values, base) =>
    variant === 'baseline'
      ? base
      : { ...base, cluster: { ...base.cluster, technique: earlyExitOf(variant, values) } },
});
