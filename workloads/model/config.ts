import { InputError } from '../run/inputError.ts';
import { knownTypes, refusedTypes, tiedByDefault } from './configFamilies.ts';
import { ConfigFields, isObject, shownValue } from './configFields.ts';
import { layerKinds } from './configLayers.ts';
import { weightPrecision } from './configPrecision.ts';
import { smallParameters } from './configSmall.ts';
import type { ModelShape } from './shape.ts';

/**
 * The shape of a model from its Hugging Face `config.json`. Multimodal configurations hold the language model under `text_config`;
 * what sees and hears is left out. Fields have several names, one per family; the reader looks at fields rather than at
 * `architectures`, so that a family with known parts is read though its name is new, and says so in `unmodelled`.
 */

/** One configuration, opened: the language model's fields before those around it. Throws InputError. */
export function configFields(document: unknown, name: string): ConfigFields {
  if (!isObject(document)) {
    throw new InputError(`${name}: ${shownValue(document)}, expected a Hugging Face config.json (an object)`);
  }
  const outer = new ConfigFields(name, document);
  for (const id of ['text_config', 'llm_config', 'language_config', 'language_model']) {
    const inner = outer.optionalObject(id);
    if (inner !== undefined) return new ConfigFields(name, inner, document);
  }
  return outer;
}

const mostLayers = 4096;
const mostWidth = 1 << 20;

export interface ConfigName {
  readonly id: string;
  readonly label: string;
  readonly source: string;
}

/** Throws InputError, one line that names the field, what it holds and what was expected. */
export function modelFromConfig(document: unknown, file: string, name?: ConfigName): ModelShape {
  const fields = configFields(document, file);
  const type = modelType(fields);
  const hidden = fields.whole(['hidden_size', 'n_embd', 'd_model'], 1, mostWidth);
  const layers = fields.whole(['num_hidden_layers', 'n_layer', 'num_layers'], 1, mostLayers);
  const heads = fields.whole(['num_attention_heads', 'n_head'], 1, 65_536);
  const kvHeads =
    fields.optionalWhole(['num_key_value_heads', 'num_kv_heads', 'multi_query_group_num'], 1, 65_536) ??
    heads;
  if (heads % kvHeads !== 0) {
    fields.fail('num_key_value_heads', kvHeads, `a divisor of num_attention_heads (${heads})`);
  }
  const kvRank = fields.optionalWhole(['kv_lora_rank'], 0, mostWidth) ?? 0;
  const headDim =
    kvRank > 0 ? fields.whole(['qk_nope_head_dim'], 1, 65_536) : headWidth(fields, type, hidden, heads);
  const experts = expertsOf(fields, layers, type);
  const kinds = layerKinds(fields, type, layers);
  const precision = weightPrecision(fields, type);
  const intermediate = fields.whole(
    [
      ...(type.startsWith('llama4') ? ['intermediate_size_mlp'] : []),
      'intermediate_size',
      'n_inner',
      'ffn_dim',
      'moe_intermediate_size',
    ],
    1,
    1 << 24,
  );
  const maxContext = fields.optionalWhole(
    ['max_position_embeddings', 'n_positions', 'seq_length'],
    1,
    2 ** 40,
  );
  const notes = [
    ...(knownTypes.has(type)
      ? []
      : [
          `model_type ${type === '' ? 'is absent' : `"${type}" is new to Dyno`}: read as a decoder with gated MLPs from its fields`,
        ]),
    ...kinds.notes,
    ...precision.notes,
    ...(fields.value('index_topk') === undefined
      ? []
      : [
          `sparse attention (index_topk ${shownValue(fields.value('index_topk'))}) is counted as full attention`,
        ]),
    ...(type === 'gemma3n' || type === 'gemma3n_text' ? ['per-layer embeddings are left out'] : []),
  ];
  const latent =
    kvRank === 0
      ? undefined
      : {
          kvRank,
          ropeDim: fields.whole(['qk_rope_head_dim'], 0, 65_536),
          queryRank: fields.optionalWhole(['q_lora_rank'], 0, mostWidth) ?? 0,
          ...valueWidth(fields, headDim),
        };
  const base = file.replace(/\/config\.json$/, '').replace(/^.*\//, '');
  const shape: ModelShape = {
    id: name?.id ?? `file:${base}`,
    label: name?.label ?? `${base} (config.json)`,
    layers,
    hidden,
    heads,
    kvHeads: latent === undefined ? kvHeads : heads,
    headDim,
    intermediate,
    vocabulary: fields.whole(['vocab_size', 'padded_vocab_size'], 1, 1 << 28),
    tiedEmbeddings: fields.optionalFlag('tie_word_embeddings') ?? tiedByDefault.test(type),
    ...(experts === undefined ? {} : { experts }),
    ...(latent === undefined ? {} : { latent }),
    ...(kinds.windows === undefined ? {} : { windows: kinds.windows }),
    ...(kinds.linear === undefined ? {} : { linear: kinds.linear }),
    ...(type === 'qwen3_next' || fields.value('attn_output_gate') === true ? { gatedAttention: true } : {}),
    bytesPerWeight: precision.bytesPerWeight,
    bytesPerKvValue: precision.bytesPerKvValue,
    weightFormat: precision.format,
    ...(maxContext === undefined ? {} : { maxContext }),
    ...(notes.length === 0 ? {} : { unmodelled: notes.join('; ') }),
    source: name?.source ?? file,
  };
  return { ...shape, smallParameters: smallParameters(shape, fields, type) };
}

export const modelType = (fields: ConfigFields): string => {
  const type = fields.optionalWord('model_type') ?? '';
  const why = refusedTypes.get(type);
  if (why !== undefined) {
    throw new InputError(
      `${fields.name}: model_type ${type}: ${why}; expected a decoder such as Llama, Qwen, DeepSeek, Gemma or gpt-oss`,
    );
  }
  if (fields.value('is_encoder_decoder') === true) {
    throw new InputError(`${fields.name}: is_encoder_decoder: true, expected a decoder-only language model`);
  }
  return type;
};

function headWidth(fields: ConfigFields, type: string, hidden: number, heads: number): number {
  const given = fields.optionalWhole(['head_dim', 'attention_head_dim', 'kv_channels'], 1, 65_536);
  if (given !== undefined) return given;
  // transformers' Gemma 3 default, which published files leave away.
  if (type.startsWith('gemma3')) return 256;
  if (hidden % heads !== 0) {
    fields.fail('hidden_size', hidden, `a multiple of num_attention_heads (${heads}), or head_dim`);
  }
  return hidden / heads;
}

function valueWidth(fields: ConfigFields, headDim: number): { valueDim?: number } {
  const valueDim = fields.optionalWhole(['v_head_dim'], 1, 65_536);
  return valueDim === undefined || valueDim === headDim ? {} : { valueDim };
}

function expertsOf(fields: ConfigFields, layers: number, type: string): ModelShape['experts'] {
  const countNames = ['num_local_experts', 'n_routed_experts', 'num_experts', 'moe_num_experts'];
  const count = fields.optionalWhole(countNames, 0, 1 << 20) ?? 0;
  if (count <= 1) return undefined;
  const perToken = fields.whole(
    ['num_experts_per_tok', 'num_experts_per_token', 'moe_topk', 'moe_k', 'top_k_experts'],
    1,
    count,
  );
  const intermediate = fields.whole(
    ['moe_intermediate_size', 'expert_intermediate_size', 'intermediate_size'],
    1,
    1 << 24,
  );
  const shared =
    fields.optionalWhole(
      ['n_shared_experts', 'num_shared_experts', 'num_shared_expert', 'moe_num_shared_experts'],
      0,
      1024,
    ) ?? 0;
  const sharedIntermediate = type.startsWith('llama4')
    ? intermediate
    : (fields.optionalWhole(['shared_expert_intermediate_size', 'shared_intermediate_size'], 0, 1 << 24) ??
      shared * intermediate);
  return { count, perToken, intermediate, sharedIntermediate, denseLayers: denseLayers(fields, layers) };
}

/** How many layers keep a dense MLP among the experts' layers. */
function denseLayers(fields: ConfigFields, layers: number): number {
  const list = fields.optionalList('moe_layers');
  if (list !== undefined) return layers - list.length;
  const kinds = fields.optionalList('mlp_layer_types');
  if (kinds !== undefined) return kinds.filter((kind) => kind === 'dense').length;
  const first =
    fields.optionalWhole(['first_k_dense_replace', 'moe_layer_start_index', 'num_dense_layers'], 0, layers) ??
    0;
  const step =
    fields.optionalWhole(
      ['interleave_moe_layer_step', 'decoder_sparse_step', 'moe_layer_interval'],
      0,
      layers,
    ) ?? 1;
  const frequency = fields.value('moe_layer_freq');
  if (Array.isArray(frequency)) return layers - frequency.filter((one) => one === 1).length;
  const only = new Set(fields.optionalList('mlp_only_layers') ?? []);
  let dense = 0;
  for (let layer = 0; layer < layers; layer++) {
    const sparse = layer >= first && step > 0 && (layer + 1) % step === 0 && !only.has(layer);
    if (!sparse) dense++;
  }
  return dense;
}
