import type { Gpu } from '../hardware/gpus.ts';
import type { ModelShape, WeightFormat } from './shape.ts';

/** What the tensor cores multiply in. */
export type ProductPrecision = 'bf16' | 'fp8' | 'int8' | 'fp4';

export const weightFormatOf = (model: Pick<ModelShape, 'bytesPerWeight' | 'weightFormat'>): WeightFormat =>
  model.weightFormat ?? (model.bytesPerWeight === 1 ? 'fp8' : model.bytesPerWeight < 1 ? 'w4a16' : 'bf16');

/**
 * The precision of a model's matrix products on a card. It belongs to both: weights in MXFP4 (gpt-oss) are brought back to BF16 on
 * cards without FP4 tensor cores (Ampere, Ada, Hopper: Triton's `matmul_ogs` and Marlin in vLLM), and meet activations in MXFP8 on
 * Blackwell, at the FP8 rate. Weight-only formats (`w8a16`, `w4a16`) multiply in BF16 everywhere. FP8, INT8 and FP4 need the cores.
 */
export function productsOn(
  model: Pick<ModelShape, 'bytesPerWeight' | 'weightFormat'>,
  gpu: Pick<Gpu, 'peak'> | undefined,
): ProductPrecision {
  const format = weightFormatOf(model);
  switch (format) {
    case 'bf16':
    case 'w8a16':
    case 'w4a16':
      return 'bf16';
    case 'mxfp4':
      return gpu?.peak.fp4 !== undefined && gpu.peak.fp8 !== undefined ? 'fp8' : 'bf16';
    case 'fp8':
    case 'int8':
    case 'fp4':
      return format;
    default: {
      const never: never = format;
      return never;
    }
  }
}
