import { type ConfigFields, isObject, shownValue } from './configFields.ts';
import type { WeightFormat } from './shape.ts';

/** How a checkpoint holds its weights. Scales are counted where a format has them per few values. */
export interface WeightPrecision {
  readonly bytesPerWeight: number;
  readonly bytesPerKvValue: number;
  readonly format: WeightFormat;
  readonly notes: readonly string[];
}

const bf16: WeightPrecision = { bytesPerWeight: 2, bytesPerKvValue: 2, format: 'bf16', notes: [] };
const fp8: WeightPrecision = { ...bf16, bytesPerWeight: 1, format: 'fp8' };
/** Four bits and one 8-bit scale per 32 values. */
const mxfp4: WeightPrecision = {
  ...bf16,
  bytesPerWeight: 0.53125,
  format: 'mxfp4',
  notes: ['all weights are taken as MXFP4, though attention and embeddings are held in BF16'],
};
/** Four bits and one 8-bit scale per 16 values. */
const nvfp4: WeightPrecision = { ...bf16, bytesPerWeight: 0.5625, format: 'fp4' };

const dtypes = new Set(['bfloat16', 'float16', 'float32', 'half', 'auto', 'float']);

/** Throws InputError for a quantisation that Dyno does not know. */
export function weightPrecision(fields: ConfigFields, type: string): WeightPrecision {
  const dtype = fields.optionalWord('torch_dtype', 'dtype')?.replace(/^torch\./, '');
  if (dtype !== undefined && !dtypes.has(dtype)) {
    if (dtype.startsWith('float8')) return fp8;
    fields.fail('torch_dtype', dtype, 'bfloat16, float16 or float32');
  }
  const quantisation =
    fields.optionalObject('quantization_config') ?? fields.optionalObject('compression_config');
  if (quantisation === undefined) {
    // OpenAI publishes gpt-oss in MXFP4 alone; a file that names a 16-bit type was converted.
    return type === 'gpt_oss' && dtype === undefined ? mxfp4 : bf16;
  }
  const method = quantisation['quant_method'] ?? quantisation['quant_algo'];
  const bits = quantisation['bits'] ?? quantisation['w_bit'] ?? quantisation['num_bits'];
  const group = quantisation['group_size'] ?? quantisation['q_group_size'] ?? 128;
  switch (typeof method === 'string' ? method.toLowerCase() : method) {
    case 'fp8':
    case 'fbgemm_fp8':
      return fp8;
    case 'mxfp4':
      return mxfp4;
    case 'nvfp4':
      return nvfp4;
    case 'awq':
    case 'gptq':
    case 'auto-round':
      return weightOnly(fields, bits ?? 4, group);
    case 'bitsandbytes':
      return quantisation['load_in_8bit'] === true
        ? { ...bf16, bytesPerWeight: 1, format: 'w8a16' }
        : weightOnly(fields, 4, 64);
    case 'modelopt':
    case 'modelopt_fp4':
      return modelOpt(fields, quantisation);
    case 'compressed-tensors':
      return compressed(fields, quantisation);
    default:
      return fields.fail(
        'quantization_config.quant_method',
        method,
        'fp8, mxfp4, nvfp4, awq, gptq, bitsandbytes, modelopt or compressed-tensors',
      );
  }
}

/** Integer weights with a 16-bit scale per group (−1: per column), products in BF16. */
function weightOnly(fields: ConfigFields, bits: unknown, group: unknown): WeightPrecision {
  if (bits !== 4 && bits !== 8) fields.fail('quantization_config.bits', bits, '4 or 8');
  if (typeof group !== 'number' || !Number.isInteger(group) || group === 0 || group < -1) {
    fields.fail('quantization_config.group_size', group, 'a whole number above 0, or -1');
  }
  return {
    ...bf16,
    bytesPerWeight: bits / 8 + (group > 0 ? 2 / group : 0),
    format: bits === 4 ? 'w4a16' : 'w8a16',
  };
}

function modelOpt(fields: ConfigFields, quantisation: Readonly<Record<string, unknown>>): WeightPrecision {
  const inner = quantisation['quantization'];
  const algorithm = quantisation['quant_algo'] ?? (isObject(inner) ? inner['quant_algo'] : undefined);
  if (algorithm === 'FP8') return fp8;
  if (algorithm === 'NVFP4' || algorithm === undefined) return nvfp4;
  return fields.fail('quantization_config.quant_algo', algorithm, 'FP8 or NVFP4');
}

/** llm-compressor: `config_groups.*.weights` and `.input_activations`, the first group's. */
function compressed(fields: ConfigFields, quantisation: Readonly<Record<string, unknown>>): WeightPrecision {
  const groups = quantisation['config_groups'];
  const first = isObject(groups) ? Object.values(groups).find(isObject) : undefined;
  const weights = first?.['weights'];
  if (!isObject(weights)) {
    return fields.fail('quantization_config.config_groups', shownValue(groups), 'a group with weights');
  }
  const { num_bits: bits, type, group_size: group } = weights;
  const activations = first?.['input_activations'];
  if (!isObject(activations)) return weightOnly(fields, bits, typeof group === 'number' ? group : -1);
  if (type === 'float' && bits === 8) return fp8;
  if (type === 'float' && bits === 4) return nvfp4;
  if (type === 'int' && bits === 8) return { ...fp8, format: 'int8' };
  if (type === 'int' && bits === 4) return weightOnly(fields, 4, typeof group === 'number' ? group : -1);
  return fields.fail('quantization_config.config_groups.weights.num_bits', bits, '4 or 8');
}
