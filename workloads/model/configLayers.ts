import type { ConfigFields } from './configFields.ts';

import type { LinearLayers, ModelShape } from './shape.ts';

/** What the layers of a configuration attend to. */
export interface LayerKinds {
  readonly windows?: NonNullable<ModelShape['windows']>;
  readonly linear?: LinearLayers;
  readonly notes: readonly string[];
}

/** Throws InputError where a layer's kind is not one that Dyno models. */
export function layerKinds(fields: ConfigFields, type: string, layers: number): LayerKinds {
  const named = namedKinds(fields, layers);
  const linearCount = named === undefined ? linearByInterval(fields, type, layers) : named.linear;
  const linear = linearCount === 0 ? {} : { linear: linearLayers(fields, linearCount) };
  const chunk = fields.optionalWhole(['attention_chunk_size'], 1, 2 ** 40);
  const chunked = named?.chunked ?? (type.startsWith('llama4') ? chunkedByRope(fields, layers) : 0);
  if (chunked > 0 && chunk !== undefined) {
    return {
      ...linear,
      windows: { layers: chunked, tokens: chunk },
      notes: [
        `attention in chunks of ${chunk} tokens on ${chunked} layers is counted as a window of that size, its upper bound`,
      ],
    };
  }
  const window =
    fields.optionalWhole(['sliding_window', 'sliding_window_size', 'window_size'], 0, 2 ** 40) ?? 0;
  const sliding = window === 0 ? 0 : (named?.sliding ?? slidingByFamily(fields, type, layers));
  if (sliding === 0) return { ...linear, notes: [] };
  const longest = fields.optionalWhole(['max_position_embeddings'], 1, 2 ** 40);
  // A window as long as any context cuts nothing off.
  if (longest !== undefined && window >= longest) return { ...linear, notes: [] };
  return { ...linear, windows: { layers: sliding, tokens: window }, notes: [] };
}

interface NamedKinds {
  sliding: number;
  chunked: number;
  linear: number;
}

/** `layer_types`, as transformers writes it since 4.53. */
function namedKinds(fields: ConfigFields, layers: number): NamedKinds | undefined {
  const list = fields.optionalList('layer_types');
  if (list === undefined) return undefined;
  if (list.length !== layers) {
    fields.fail('layer_types', list, `one word per layer (num_hidden_layers ${layers})`);
  }
  const kinds: NamedKinds = { sliding: 0, chunked: 0, linear: 0 };
  list.forEach((kind, index) => {
    if (kind === 'sliding_attention') kinds.sliding++;
    else if (kind === 'chunked_attention') kinds.chunked++;
    else if (kind === 'linear_attention') kinds.linear++;
    else if (kind !== 'full_attention' && kind !== 'attention') {
      fields.fail(
        `layer_types[${index}]`,
        kind,
        'full_attention, sliding_attention, chunked_attention or linear_attention: other layers are not modelled',
      );
    }
  });
  return kinds;
}

/** Families that say only how long the window is, or every how many layers one sees everything. */
function slidingByFamily(fields: ConfigFields, type: string, layers: number): number {
  if (type === 'gpt_oss' || type === 'gemma2') return Math.ceil(layers / 2);
  const pattern = fields.value('sliding_window_pattern', '_sliding_window_pattern');
  if (typeof pattern === 'string') {
    // EXAONE 4: L local, G global, repeated.
    let local = 0;
    for (let layer = 0; layer < layers; layer++) if (pattern[layer % pattern.length] === 'L') local++;
    return local;
  }
  const every = fields.optionalWhole(['sliding_window_pattern', '_sliding_window_pattern'], 1, layers);
  if (every !== undefined) return layers - Math.floor(layers / every);
  if (type.startsWith('gemma3')) return layers - Math.floor(layers / 6);
  if (type === 'cohere2') return layers - Math.floor(layers / 4);
  if (type.startsWith('qwen')) {
    if (fields.optionalFlag('use_sliding_window') !== true) return 0;
    return layers - (fields.optionalWhole(['max_window_layers'], 0, layers) ?? layers);
  }
  if (fields.optionalFlag('use_sliding_window') === false) return 0;
  return layers;
}

/** Llama 4: layers with rotary embedding see their chunk only, the others everything. */
function chunkedByRope(fields: ConfigFields, layers: number): number {
  const rope = fields.optionalList('no_rope_layers');
  if (rope !== undefined && rope.length > 0) {
    if (rope.length !== layers) fields.fail('no_rope_layers', rope, `one number per layer (${layers})`);
    return rope.filter((has) => has === 1).length;
  }
  const every = fields.optionalWhole(['no_rope_layer_interval'], 1, layers) ?? 4;
  return layers - Math.floor(layers / every);
}

const linearByInterval = (fields: ConfigFields, type: string, layers: number): number => {
  if (type !== 'qwen3_next') return 0;
  const every =
    fields.optionalWhole(['full_attention_interval', 'linear_attention_interval'], 1, layers) ?? 4;
  return layers - Math.floor(layers / every);
};

/** Gated delta rule: projections to queries, keys, values, gates; a short convolution; one state matrix per value head. */
function linearLayers(fields: ConfigFields, layers: number): LinearLayers {
  const most = 1 << 20;
  const hidden = fields.whole(['hidden_size'], 1, most);
  const keyHeads = fields.whole(['linear_num_key_heads'], 1, most);
  const valueHeads = fields.whole(['linear_num_value_heads'], 1, most);
  const keyDim = fields.whole(['linear_key_head_dim'], 1, most);
  const valueDim = fields.whole(['linear_value_head_dim'], 1, most);
  const kernel = fields.optionalWhole(['linear_conv_kernel_dim'], 1, 1024) ?? 4;
  const keys = keyHeads * keyDim;
  const values = valueHeads * valueDim;
  return {
    layers,
    weights:
      hidden * (2 * keys + 2 * values) +
      hidden * 2 * valueHeads +
      (2 * keys + values) * kernel +
      values * hidden,
    stateValues: valueHeads * keyDim * valueDim,
  };
}
