import type { Parameter, ParameterValues } from '../run/parameter.ts';
import type { GuidedSpec } from '../run/techniqueSpec.ts';
import { number, servingTarget } from './servingBase.ts';

const slow = ['baseline', 'overlapped'] as const;
const fast = ['cached', 'optimized'] as const;

const parameters: readonly Parameter[] = [
  {
    kind: 'number',
    id: 'guided_share',
    label: 'Guided requests',
    group: 'policy',
    unit: '',
    min: 0,
    max: 1,
    step: 0.05,
    default: 1,
    help: 'Share of requests whose output follows a grammar.',
  },
  {
    kind: 'number',
    id: 'scan_us',
    label: 'Mask by scanning',
    group: 'policy',
    unit: 'µs',
    min: 1,
    max: 100_000,
    log: true,
    default: 1000,
    variants: slow,
    help: 'CPU time of one mask where every entry of the vocabulary is tried against the parser, median. Published: 1 to 10 ms for 150,000 entries.',
  },
  {
    kind: 'number',
    id: 'cached_us',
    label: 'Mask from a cache',
    group: 'policy',
    unit: 'µs',
    min: 1,
    max: 100_000,
    log: true,
    default: 50,
    variants: fast,
    help: 'CPU time of one mask where most entries were settled when the grammar was compiled, median. llguidance states about 50 µs for 128,000 entries.',
  },
  {
    kind: 'number',
    id: 'mask_sigma',
    label: 'Spread of mask times',
    group: 'policy',
    unit: '',
    min: 0,
    max: 2,
    step: 0.1,
    default: 0.5,
    help: 'σ of the log-normal of mask times over tokens: inside a string nearly everything is allowed, before a number little is.',
  },
  {
    kind: 'integer',
    id: 'mask_threads',
    label: 'Mask threads',
    group: 'policy',
    unit: 'threads',
    min: 1,
    max: 128,
    default: 1,
    help: 'CPU threads that make masks of different sequences at once.',
  },
  {
    kind: 'number',
    id: 'apply_us',
    label: 'Launch of the mask kernel',
    group: 'policy',
    unit: 'µs',
    min: 0,
    max: 1000,
    default: 20,
    help: 'Launching the copy and the kernel that sets forbidden logits to −∞, per pass.',
  },
];

function guidedOf(variant: string, values: ParameterValues): GuidedSpec {
  const cached = variant === 'cached' || variant === 'optimized';
  return {
    kind: 'guided',
    share: number(values, 'guided_share'),
    mask: {
      median_us: number(values, cached ? 'cached_us' : 'scan_us'),
      sigma: number(values, 'mask_sigma'),
    },
    threads: number(values, 'mask_threads'),
    overlapped: variant === 'overlapped' || variant === 'optimized',
    mask_bits: cached ? 1 : 8,
    apply_us: number(values, 'apply_us'),
  };
}

export const guidedDecoding = servingTarget({
  id: 'ch15:guided_decoding',
  chapter: 'ch15',
  title: 'Guided decoding',
  summary:
    'Output that follows a grammar needs a mask per sequence and token, made on the CPU. Who waits for it?',
  lesson: `**Look at** TPOT and *waiting for masks* of all five variants, at 1 and at 16 threads.

**What was claimed.** The lab builds one constant mask on the CPU, copies it and masks; kept on the GPU instead it is 124 times faster. But the mask never changes, all sequences share it, nothing is sampled, and its check would pass with no mask at all. A grammar's mask depends on what each sequence has written so far: it cannot stay on the GPU.

**What holds.** Two things help, and each alone may do. Simulated, Llama 3.1 8B on an H100, all outputs guided, scanning 1 ms per mask (median), cached 50 µs: at 4 requests/s and one CPU thread the plain way cannot keep up: TPOT p50 goes from 7 to 330 ms and the queue grows for as long as requests come. Overlapping alone is overloaded as well (290 ms), since the CPU itself is too slow. Caching alone leaves 7.6 ms. With 16 threads overlapping alone is as good as both. At 16 requests/s with one thread the plain way falls behind for good, and caching without overlap still doubles TPOT: 28 against 13 ms. Packing the mask in bits instead of bytes shrinks its copy to an eighth; it is small beside making it.

**How it is modelled.** Each guided sequence has its own state: its mask time is drawn anew for each token. Masks of one pass are shared out to the threads; overlapped, only what outlasts the pass is waited for. Published figures set the defaults: about 50 µs per token for llguidance (its README, 128,000 entries), 1 to 10 ms for scanning 150,000 entries. Left out: compiling a grammar when it is first seen, speculative masks, and tokens that a grammar leaves no choice about (jump-forward).`,
  claims: ['tpot_ms'],
  variants: [
    {
      id: 'baseline',
      label: 'Scan, then wait',
      description: 'After each pass the CPU tries every token of the vocabulary, and the GPU waits.',
    },
    {
      id: 'optimized',
      label: 'Cached and overlapped',
      description: 'Masks come from a compiled grammar, packed in bits, while the pass runs.',
    },
    { id: 'cached', label: 'Cached only', description: 'Compiled masks, but the GPU waits for them.' },
    { id: 'overlapped', label: 'Overlapped only', description: 'Scanned masks, made while the pass runs.' },
    { id: 'free', label: 'No grammar', description: 'Free text: what the grammar costs is the difference.' },
  ],
  parameters,
  defaults: {
    traffic: 'open',
    rate_rps: 4,
    duration_s: 120,
    prompt_median: 500,
    output_median: 200,
    prefix_share: 0,
    gpu: 'h100-sxm',
    instances: 1,
  },
  parts: (variant, values, base) =>
    variant === 'free'
      ? base
      : { ...base, cluster: { ...base.cluster, technique: guidedOf(variant, values) } },
});
