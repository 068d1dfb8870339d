import type { Gpu } from '../hardware/gpus.ts';
import { productsOn, weightFormatOf } from '../model/products.ts';
import type { WeightFormat } from '../model/shape.ts';

/** Number formats that have a compute ceiling of their own. */
export type Precision = 'fp64' | 'fp32' | 'tf32' | 'bf16' | 'fp16' | 'fp8' | 'int8' | 'fp4';

/** `tensor`: matrix cores, which share one pipe; `cuda`: the scalar FMA pipes, which run beside it. */
export type Pipe = 'tensor' | 'cuda';

export const precisions: readonly Precision[] = [
  'fp64',
  'fp32',
  'tf32',
  'bf16',
  'fp16',
  'fp8',
  'int8',
  'fp4',
];

export const precisionLabel: Readonly<Record<Precision, string>> = {
  fp64: 'FP64',
  fp32: 'FP32 (CUDA cores)',
  tf32: 'TF32 tensor',
  bf16: 'BF16 tensor',
  fp16: 'FP16 tensor',
  fp8: 'FP8 tensor',
  int8: 'INT8 tensor',
  fp4: 'FP4 tensor',
};

export const pipeOf = (precision: Precision): Pipe =>
  precision === 'fp32' || precision === 'fp64' ? 'cuda' : 'tensor';

/**
 * How a model is held and computed: bytes of a weight and of a cached key or value, and the precision of the products.
 * Weight-only quantisation (w8a16, w4a16) reads fewer bytes and still computes in BF16; scales and zero points are left out.
 */
export interface ServingFormat {
  readonly id: string;
  readonly label: string;
  readonly bytesPerWeight: number;
  readonly bytesPerKvValue: number;
  readonly compute: Precision;
}

export const servingFormats: readonly ServingFormat[] = [
  { id: 'bf16', label: 'BF16', bytesPerWeight: 2, bytesPerKvValue: 2, compute: 'bf16' },
  {
    id: 'fp8',
    label: 'FP8 weights and activations, BF16 KV',
    bytesPerWeight: 1,
    bytesPerKvValue: 2,
    compute: 'fp8',
  },
  {
    id: 'fp8-kv8',
    label: 'FP8 weights, activations and KV',
    bytesPerWeight: 1,
    bytesPerKvValue: 1,
    compute: 'fp8',
  },
  {
    id: 'int8',
    label: 'INT8 weights and activations, BF16 KV',
    bytesPerWeight: 1,
    bytesPerKvValue: 2,
    compute: 'int8',
  },
  {
    id: 'w8a16',
    label: '8-bit weights, BF16 products',
    bytesPerWeight: 1,
    bytesPerKvValue: 2,
    compute: 'bf16',
  },
  {
    id: 'w4a16',
    label: '4-bit weights, BF16 products',
    bytesPerWeight: 0.5,
    bytesPerKvValue: 2,
    compute: 'bf16',
  },
  {
    id: 'fp4',
    label: 'FP4 weights and activations, FP8 KV',
    bytesPerWeight: 0.5,
    bytesPerKvValue: 1,
    compute: 'fp4',
  },
];

export const findFormat = (id: string): ServingFormat | undefined =>
  servingFormats.find((format) => format.id === id);

/**
 * The format that a model is held in, and what a card multiplies it in: MXFP4 weights (gpt-oss) meet BF16 on Hopper and FP8 on
 * Blackwell. Without a card: what every card can do.
 */
export function formatOf(
  model: {
    readonly bytesPerWeight: number;
    readonly bytesPerKvValue: number;
    readonly weightFormat?: WeightFormat | undefined;
  },
  gpu?: Pick<Gpu, 'peak'>,
): ServingFormat {
  const { bytesPerWeight, bytesPerKvValue } = model;
  const compute = productsOn(model, gpu);
  const same = servingFormats.find(
    (f) =>
      f.bytesPerWeight === bytesPerWeight && f.bytesPerKvValue === bytesPerKvValue && f.compute === compute,
  );
  if (same !== undefined) return same;
  const weights = weightLabel[weightFormatOf(model)];
  const kv = bytesPerKvValue === 2 ? 'BF16 KV' : `${bytesPerKvValue} B KV`;
  return {
    id: 'model',
    label: `${weights} (${bytesPerWeight} B), ${precisionLabel[compute].replace(' tensor', '')} products, ${kv}`,
    bytesPerWeight,
    bytesPerKvValue,
    compute,
  };
}

const weightLabel: Readonly<Record<WeightFormat, string>> = {
  bf16: '16-bit weights',
  fp8: 'FP8 weights',
  int8: 'INT8 weights',
  mxfp4: 'MXFP4 weights',
  fp4: 'FP4 weights',
  w8a16: '8-bit weights',
  w4a16: '4-bit weights',
};

/** Whether a card's tensor cores compute in it at all. */
export const supports = (gpu: Gpu, precision: Precision): boolean =>
  precision === 'fp16' || (precision !== 'fp64' && gpu.peak[precision] !== undefined);
