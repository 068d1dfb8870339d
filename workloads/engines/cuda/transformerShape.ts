import { configFields, modelType } from '../../model/config.ts';
import { tiedByDefault } from '../../model/configFamilies.ts';
import type { ConfigFields } from '../../model/configFields.ts';
import { InputError } from '../../run/inputError.ts';
import type { RopeScaling, TransformerFamily, TransformerShape } from './device.ts';

/** `model_type` → the family that the kernels compute. Qwen2 and Mistral are Llama with a bias or a window. */
const families: Readonly<Record<string, TransformerFamily>> = {
  llama: 'llama',
  mistral: 'llama',
  qwen2: 'llama',
  qwen3: 'qwen3',
  mixtral: 'mixtral',
  qwen3_moe: 'qwen3_moe',
};

/** What the kernels need of a `config.json`. Throws InputError for a model that the GPU engine cannot run, one line. */
export function transformerShape(document: unknown, file: string): TransformerShape {
  const fields = configFields(document, file);
  const type = modelType(fields);
  const family = families[type];
  if (family === undefined) {
    throw new InputError(
      `${file}: model_type ${type === '' ? 'absent' : type}: engine cuda runs ${Object.keys(families).join(', ')}; engine sim knows more`,
    );
  }
  const size = (id: string, most = 1 << 24): number => fields.whole([id], 1, most);
  const heads = size('num_attention_heads', 1024);
  const hidden = size('hidden_size', 1 << 20);
  const kvHeads = fields.optionalWhole(['num_key_value_heads'], 1, heads) ?? heads;
  if (heads % kvHeads !== 0) fields.fail('num_key_value_heads', kvHeads, `a divisor of ${heads}`);
  const given = fields.optionalWhole(['head_dim'], 1, 1024);
  if (given === undefined && hidden % heads !== 0)
    fields.fail('hidden_size', hidden, `a multiple of ${heads}`);
  const maxPositions = fields.optionalWhole(['max_position_embeddings'], 1, 1 << 30) ?? 8192;
  refuseWindows(fields, type, maxPositions);
  const quantised = fields.optionalObject('quantization_config');
  if (quantised !== undefined) {
    throw new InputError(
      `${file}: quantization_config: engine cuda holds BF16 weights, expected a checkpoint without quantisation`,
    );
  }
  const act = fields.optionalWord('hidden_act') ?? 'silu';
  if (act !== 'silu') fields.fail('hidden_act', act, 'silu');
  const experts = expertsOf(fields, family);
  const scaling = ropeScaling(fields, maxPositions);
  const bias = fields.optionalFlag('attention_bias') ?? type === 'qwen2';
  if (bias && type !== 'qwen2' && type !== 'qwen3') {
    throw new InputError(
      `${file}: attention_bias: true, expected false for ${type}: its output bias is not computed`,
    );
  }
  return {
    family,
    layers: size('num_hidden_layers', 4096),
    hidden,
    heads,
    kvHeads,
    headDim: given ?? hidden / heads,
    ffn: fields.optionalWhole(['intermediate_size'], 1, 1 << 24) ?? 0,
    vocab: size('vocab_size', 1 << 28),
    maxPositions,
    normEps: fields.optionalNumber(['rms_norm_eps'], 0, 1) ?? 1e-6,
    rope: {
      theta: ropeNumber(fields, 'rope_theta') ?? 10_000,
      ...(scaling === undefined ? {} : { scaling }),
    },
    qkNorm: family === 'qwen3' || family === 'qwen3_moe',
    tiedEmbeddings: fields.optionalFlag('tie_word_embeddings') ?? tiedByDefault.test(type),
    ...(bias ? { attentionBias: true } : {}),
    ...(experts === undefined ? {} : { experts }),
  };
}

/** Windows are not in the kernels: a model may be run up to the length at which its window begins to cut. */
function refuseWindows(fields: ConfigFields, type: string, maxPositions: number): void {
  const window = fields.optionalWhole(['sliding_window'], 0, 2 ** 40) ?? 0;
  const used = type.startsWith('qwen') ? fields.optionalFlag('use_sliding_window') === true : window > 0;
  if (used && window < maxPositions) {
    throw new InputError(
      `${fields.name}: sliding_window: ${window}, expected none: the kernels of engine cuda attend to the whole context`,
    );
  }
}

function expertsOf(fields: ConfigFields, family: TransformerFamily): TransformerShape['experts'] {
  if (family === 'mixtral') {
    const count = fields.whole(['num_local_experts'], 2, 4096);
    return {
      count,
      topK: fields.whole(['num_experts_per_tok'], 1, count),
      ffn: fields.whole(['intermediate_size'], 1, 1 << 24),
      normTopK: true,
    };
  }
  if (family !== 'qwen3_moe') return undefined;
  const step = fields.optionalWhole(['decoder_sparse_step'], 0, 4096) ?? 1;
  const only = fields.optionalList('mlp_only_layers') ?? [];
  if (step !== 1 || only.length > 0) {
    throw new InputError(
      `${fields.name}: decoder_sparse_step and mlp_only_layers: dense layers among the experts, expected experts in every layer`,
    );
  }
  const count = fields.whole(['num_experts', 'num_local_experts'], 2, 4096);
  return {
    count,
    topK: fields.whole(['num_experts_per_tok'], 1, count),
    ffn: fields.whole(['moe_intermediate_size'], 1, 1 << 24),
    normTopK: fields.optionalFlag('norm_topk_prob') ?? false,
  };
}

/** transformers 5 writes `rope_parameters`, earlier ones `rope_theta` and `rope_scaling`. */
function ropeNumber(fields: ConfigFields, id: string): number | undefined {
  const inside = fields.optionalObject('rope_parameters')?.[id] ?? fields.value(id);
  if (inside === undefined || inside === null) return undefined;
  if (typeof inside !== 'number' || !(inside > 0) || !Number.isFinite(inside))
    fields.fail(id, inside, 'a number above 0');
  return inside;
}

function ropeScaling(fields: ConfigFields, maxPositions: number): RopeScaling | undefined {
  const scaling = fields.optionalObject('rope_scaling') ?? fields.optionalObject('rope_parameters');
  if (scaling === undefined) return undefined;
  const named = scaling['rope_type'] ?? scaling['type'] ?? 'default';
  const kind = typeof named === 'string' ? named : '';
  const number = (id: string, otherwise?: number): number => {
    const value = scaling[id] ?? otherwise;
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      return fields.fail(`rope_scaling.${id}`, value, 'a number above 0');
    }
    return value;
  };
  switch (kind) {
    case 'default':
      return undefined;
    case 'linear':
      return { kind, factor: number('factor') };
    case 'llama3':
      return {
        kind,
        factor: number('factor'),
        lowFreqFactor: number('low_freq_factor'),
        highFreqFactor: number('high_freq_factor'),
        originalMaxPositions: number('original_max_position_embeddings', maxPositions),
      };
    case 'yarn':
      return {
        kind,
        factor: number('factor'),
        betaFast: number('beta_fast', 32),
        betaSlow: number('beta_slow', 1),
        originalMaxPositions: number('original_max_position_embeddings', maxPositions),
        ...(scaling['attention_factor'] === undefined ? {} : { attentionFactor: number('attention_factor') }),
      };
    default:
      return fields.fail('rope_scaling.rope_type', named, 'default, linear, llama3 or yarn');
  }
}
