import { draftMemory } from '../model/draft.ts';
import { models } from '../model/models.ts';
import type { Parameter, ParameterValues } from '../run/parameter.ts';
import type { DraftSpec, SpeculationSpec } from '../run/techniqueSpec.ts';
import { number, servingTarget, text, withKvBlocks } from './servingBase.ts';

const drafts = models.filter(({ experts }) => experts === undefined);
const modelled = ['optimized', 'fixed'] as const;
const speculates = [...modelled, 'lookup'] as const;

const parameters: readonly Parameter[] = [
  {
    kind: 'choice',
    id: 'draft',
    label: 'Draft',
    group: 'policy',
    default: 'llama-3.2-1b',
    choices: [
      ...drafts.map((m) => ({ id: m.id, label: m.label })),
      { id: 'head', label: 'One layer on the target (EAGLE-like)' },
      { id: 'lookup', label: 'n-grams of the text so far' },
    ],
    variants: modelled,
    help: 'Who proposes tokens. A model must share the target’s vocabulary; its passes are priced as the target’s are.',
  },
  {
    kind: 'integer',
    id: 'draft_length',
    label: 'Draft length',
    group: 'policy',
    unit: 'tokens',
    min: 1,
    max: 16,
    default: 4,
    variants: speculates,
    help: 'Tokens drafted per round; the most of them where the length adapts.',
  },
  {
    kind: 'number',
    id: 'acceptance',
    label: 'Acceptance',
    group: 'policy',
    unit: '',
    min: 0,
    max: 1,
    step: 0.05,
    default: 0.7,
    variants: speculates,
    help: 'Probability that a drafted token is the target’s own, mean over requests. A property of draft, target and text: measure yours.',
  },
  {
    kind: 'number',
    id: 'acceptance_spread',
    label: 'Acceptance, spread',
    group: 'policy',
    unit: '',
    min: 0,
    max: 0.5,
    step: 0.05,
    default: 0.15,
    variants: speculates,
    help: 'Standard deviation of the acceptance between requests (beta-distributed): code repeats itself, conversation does not.',
  },
  {
    kind: 'number',
    id: 'position_decay',
    label: 'Decay by position',
    group: 'policy',
    unit: '',
    min: 0.1,
    max: 1,
    step: 0.05,
    default: 1,
    variants: speculates,
    help: 'Each further token of a round is accepted with this times the chance of the one before. 1: all alike.',
  },
  {
    kind: 'number',
    id: 'draft_overhead_us',
    label: 'Overhead per draft step',
    group: 'policy',
    unit: 'µs',
    min: 0,
    max: 10_000,
    default: 150,
    variants: speculates,
    help: 'Launches and sampling of one draft step; per round for n-grams.',
  },
];

function draftOf(values: ParameterValues, draft: string): DraftSpec {
  const overhead_us = number(values, 'draft_overhead_us');
  if (draft === 'lookup') return { kind: 'lookup', overhead_us };
  if (draft === 'head') return { kind: 'head', layers: 1, overhead_us };
  return { kind: 'model', model: draft, overhead_us };
}

export const speculationOf = (
  values: ParameterValues,
  adaptive: boolean,
  draft = text(values, 'draft'),
): SpeculationSpec => ({
  kind: 'speculation',
  draft: draftOf(values, draft),
  length: number(values, 'draft_length'),
  adaptive,
  acceptance: {
    mean: number(values, 'acceptance'),
    spread: number(values, 'acceptance_spread'),
    position_decay: number(values, 'position_decay'),
  },
});

export const speculativeDecoding = servingTarget({
  id: 'ch15:speculative_decoding',
  chapter: 'ch15',
  title: 'Speculative decoding',
  summary:
    'A small model drafts K tokens, the large one checks them in one pass. It pays while a pass waits for weights, and stops paying when batches fill the tensor cores.',
  lesson: `**Look at** TPOT at 1, 16 and 48 requests per second, then at *tokens per round*, *draft length* and *draft time*. Sweep the draft length at two rates: its optimum moves.

**What was claimed.** The lab drafts 64 tokens with a slice of the target's own weights, scaled down so that the slice guesses right, at batch 1 and greedy: 1.45 times faster. Acceptance was planted, the bonus token is dropped when all drafts are right, and there is no batch.

**What holds.** A round of K drafts gives 1 + α + … + αᴷ tokens, and a verification of K + 1 positions costs little more than one pass while the pass waits for weights. Llama 3.1 8B on an H100 with a 1B draft at α = 0.7, simulated: alone (298 requests, one every five seconds), mean TPOT falls from 6.2 ms to 3.9 ms at K = 3, 1.6 times shorter, and to 5.9 ms at K = 12, hardly shorter at all; with 64 sequences together 1.44 times at K = 2; with 256, K = 1 gains nothing and K = 12 halves the speed. Under Poisson traffic of 1 request/s mean TPOT goes from 6.3 to 4.0 ms. The first token pays for it: the draft computes every prompt too, and TTFT p95 goes from 82 to 92 ms. At 32/s, beyond what the card can serve, a fixed K = 4 makes TPOT 17 % longer and the queue 1.6 times; the adaptive length loses 4 % of TPOT and 11 % of TTFT p95.

**How it is modelled.** Acceptance is a parameter: it belongs to draft, target and text, and no default is right for yours. Whether an output token is guessable is drawn once per token, so every length sees the same text. Times of draft and verification come from the same roofline; drafted positions take token budget and KV blocks, the draft's weights and KV take memory. Rejected work is all paid. The optimum that the cost model computes is held against the sweep in docs/measurements/techniques.md. Published measurements say the same of the trend: in vLLM on H100s verification dominates, and gains shrink as batches grow (arXiv 2601.11580).`,
  claims: ['tpot_ms'],
  variants: [
    { id: 'baseline', label: 'One token per pass', description: 'Plain continuous batching.' },
    {
      id: 'optimized',
      label: 'Adaptive length',
      description:
        'Each round drafts as many tokens as promise the most tokens per second at this batch and the acceptance seen so far; none where that is best.',
    },
    {
      id: 'fixed',
      label: 'Fixed length',
      description: 'Each round drafts the same number of tokens, whatever the batch.',
    },
    {
      id: 'lookup',
      label: 'n-grams, fixed length',
      description:
        'Drafts are what followed the last tokens when they stood in the text before. On a GPU the acceptance is measured; the simulator takes it as given.',
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
  parts(variant, values, base) {
    if (variant === 'baseline') return base;
    const technique = speculationOf(
      values,
      variant === 'optimized',
      variant === 'lookup' ? 'lookup' : undefined,
    );
    const cluster = withKvBlocks(base.cluster, values, undefined, (m) => draftMemory(technique.draft, m));
    return { ...base, cluster: { ...cluster, technique } };
  },
});
