import { withKvQuantisation } from '../model/kvQuantisation.ts';
import type { Parameter, ParameterValues } from '../run/parameter.ts';
import type { KvQuantisationSpec } from '../run/techniqueSpec.ts';
import { number, servingTarget, withKvBlocks } from './servingBase.ts';

const fourBits = ['int4', 'int4_naive'] as const;

const parameters: readonly Parameter[] = [
  {
    kind: 'integer',
    id: 'kv_group',
    label: 'Values per scale',
    group: 'policy',
    unit: 'values',
    min: 8,
    max: 4096,
    log: true,
    default: 128,
    variants: fourBits,
    help: 'Values that share a scale and a zero point of 2 bytes each; 128 is one per head and token. Fewer keep more of the answer and cost more memory.',
  },
  {
    kind: 'number',
    id: 'fp8_ops',
    label: 'FP8, instructions per value',
    group: 'policy',
    unit: '',
    min: 0,
    max: 20,
    step: 0.5,
    default: 1,
    variants: ['optimized'],
    help: 'CUDA-core instructions that bring one FP8 value back to BF16: one conversion for two values and a scale folded into the softmax on Hopper; 0 where attention itself runs in FP8.',
  },
];

function quantisationOf(variant: string, values: ParameterValues): KvQuantisationSpec {
  if (variant === 'optimized') {
    return { bits: 8, group: 0, scale_bytes: 4, dequantise_ops: number(values, 'fp8_ops') };
  }
  return {
    bits: 4,
    group: number(values, 'kv_group'),
    scale_bytes: 4,
    // QServe, section 5.3: mask, shift, convert, multiply, subtract; two after its bit tricks.
    dequantise_ops: variant === 'int4_naive' ? 5 : 2,
  };
}

export const kvQuantisation = servingTarget({
  id: 'serving:kv_quantisation',
  chapter: 'serving',
  title: 'Quantised KV cache',
  summary:
    'Keys and values in 8 or 4 bits: more sequences fit, each pass reads less, and bringing values back costs instructions.',
  lesson: `**Look at** KV in use, preemptions, TTFT p95 and TPOT together: a cache twice as roomy changes which of them hurts.

**What holds.** Three effects, simulated on Llama 3.1 8B. *Room*: FP8 doubles the blocks (27,775 → 55,550 on an A100 80 GB), INT4 with a scale per 128 values gives 3.8 times. *Bandwidth*: at 1.5 requests/s, prompts of 2,000 and outputs of 500 tokens (medians), TPOT falls from 42.5 to 28.8 ms with FP8 and to 24.1 with INT4. *Instructions*: CUDA cores must bring values back. Plainly, with five instructions each, INT4 on an A100 is slower than FP8 (33.7 ms) although it reads half as much; on an L40S, with more CUDA cores per byte of bandwidth, the same five cost nothing at all. On an H100 at 5 requests/s BF16 runs out of blocks (64 requests preempted, TTFT p95 22 s); FP8 has room to spare, 1.1 s.

**Where it does not help.** At 0.5 requests/s the batch is small and weights rule: 12.7 → 11.7 ms. And overloaded (2.5/s on the A100) FP8 makes TPOT *longer*, 95 → 117 ms, since more requests run at once; TTFT p95 falls from 30 to 6 s in exchange.

**Quality is not simulated.** vLLM's documentation says of FP8 E4M3 that it typically degrades accuracy minimally; SGLang's warns that a backend without fused dequantisation can be extremely slow. Some models do not bear it: with Qwen2.5 7B symmetric FP8 was reported to collapse on GSM8K where 16-bit keys with FP8 values did not. INT4 needs scales per group and smoothed keys (QServe, arXiv 2405.04532). Measure yours.

**How it is modelled.** Attention over the cache takes the longest of memory traffic, tensor-core arithmetic and dequantisation; quantising new values is left out. Against QServe's measurements of the kernel alone: plain INT4 against INT8 on an A100 1.1 to 1.2 times slower (here 1.4 against FP8), two instructions 1.5 times faster (here 1.8), plain on an L40S 1.7 times faster (here 1.9).`,
  claims: ['tpot_ms', 'goodput_rps'],
  variants: [
    { id: 'baseline', label: 'BF16', description: 'Keys and values as the model computes them.' },
    { id: 'optimized', label: 'FP8', description: 'Half the bytes, one scale for all.' },
    {
      id: 'int4',
      label: 'INT4, two instructions',
      description: 'A quarter of the bytes and scales per group; dequantised in two instructions per value.',
    },
    {
      id: 'int4_naive',
      label: 'INT4, five instructions',
      description: 'The same cache, dequantised the plain way: mask, shift, convert, multiply, subtract.',
    },
  ],
  parameters,
  defaults: {
    traffic: 'open',
    rate_rps: 1.5,
    duration_s: 120,
    prompt_median: 2000,
    output_median: 500,
    prefix_share: 0,
    gpu: 'a100-80gb-sxm',
    instances: 1,
  },
  parts(variant, values, base) {
    if (variant === 'baseline') return base;
    const quantisation = quantisationOf(variant, values);
    const cluster = withKvBlocks(base.cluster, values, (m) => withKvQuantisation(m, quantisation));
    return { ...base, cluster: { ...cluster, kv: { ...cluster.kv, quantisation } } };
  },
});
