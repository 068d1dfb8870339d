import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError } from '../run/inputError.ts';
import { modelFromConfig } from './config.ts';
import { builtInModels } from './configs.ts';
import { productsOn } from './products.ts';
import { kvBytesPerToken, parameterCount } from './shape.ts';

const llama = {
  model_type: 'llama',
  hidden_size: 4096,
  intermediate_size: 14336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  vocab_size: 128256,
  torch_dtype: 'bfloat16',
};
const read = (more: object, base: object = llama) =>
  modelFromConfig({ ...base, ...more }, 'there/config.json');
const complaint = (document: unknown): string => {
  try {
    modelFromConfig(document, 'there/config.json');
  } catch (thrown) {
    if (thrown instanceof InputError) return thrown.message;
    throw thrown;
  }
  return '';
};
const lines = (kinds: readonly string[], times: number) => Array.from({ length: times }, () => kinds).flat();

describe('what families call the same thing', () => {
  test('a folder names the model; the head width follows from the hidden size', () => {
    const shape = read({});
    expect(shape).toMatchObject({ id: 'file:there', headDim: 128, kvHeads: 8, bytesPerWeight: 2 });
    expect(parameterCount(shape)).toBe(8_030_261_248);
    expect(kvBytesPerToken(shape)).toBe(131_072);
  });

  test('no KV heads given: one per head', () => {
    expect(read({ num_key_value_heads: undefined }).kvHeads).toBe(32);
    expect(read({ num_key_value_heads: null }).kvHeads).toBe(32);
  });

  test('a language model inside a multimodal one; what is outside it counts where it is silent', () => {
    const shape = modelFromConfig(
      {
        model_type: 'gemma3',
        text_config: { ...llama, model_type: 'gemma3_text', head_dim: 256, sliding_window: 1024 },
        vision_config: { hidden_size: 1152 },
        tie_word_embeddings: true,
        quantization_config: { quant_method: 'fp8' },
      },
      'x/config.json',
    );
    expect(shape).toMatchObject({
      headDim: 256,
      tiedEmbeddings: true,
      bytesPerWeight: 1,
      weightFormat: 'fp8',
    });
    // Every sixth layer of 32 sees everything: layers 6, 12, 18, 24 and 30.
    expect(shape.windows).toEqual({ layers: 27, tokens: 1024 });
  });

  test('layer_types decide over what the family usually does', () => {
    const types = lines(['sliding_attention', 'sliding_attention', 'full_attention', 'sliding_attention'], 8);
    expect(read({ model_type: 'gemma3_text', layer_types: types, sliding_window: 512 }).windows).toEqual({
      layers: 24,
      tokens: 512,
    });
  });

  test('Qwen says whether its window is used, Mistral by giving one', () => {
    const qwen = { model_type: 'qwen3', sliding_window: 4096, max_position_embeddings: 32768 };
    expect(read({ ...qwen, use_sliding_window: false }).windows).toBeUndefined();
    expect(read({ ...qwen, use_sliding_window: true, max_window_layers: 28 }).windows?.layers).toBe(4);
    expect(read({ model_type: 'mistral', sliding_window: 4096 }).windows?.layers).toBe(32);
    expect(read({ model_type: 'mistral', sliding_window: null }).windows).toBeUndefined();
    expect(
      read({ model_type: 'mistral', sliding_window: 4096, max_position_embeddings: 4096 }).windows,
    ).toBeUndefined();
  });

  test('dense layers among experts: the first ones, every other one, a list', () => {
    const moe = { num_experts: 8, num_experts_per_tok: 2, moe_intermediate_size: 512 };
    expect(read({ ...moe, first_k_dense_replace: 3 }).experts?.denseLayers).toBe(3);
    expect(read({ ...moe, decoder_sparse_step: 2 }).experts?.denseLayers).toBe(16);
    expect(read({ ...moe, mlp_only_layers: [0, 5] }).experts?.denseLayers).toBe(2);
    expect(read({ ...moe, shared_expert_intermediate_size: 700 }).experts?.sharedIntermediate).toBe(700);
    expect(read({ ...moe, n_shared_experts: 2 }).experts?.sharedIntermediate).toBe(1024);
    expect(read({ num_local_experts: 1 }).experts).toBeUndefined();
  });

  test('latent attention without compressed queries (DeepSeek-V2-Lite), with wider values (GLM)', () => {
    const mla = {
      kv_lora_rank: 512,
      qk_nope_head_dim: 128,
      qk_rope_head_dim: 64,
      v_head_dim: 256,
      q_lora_rank: null,
    };
    const shape = read({ ...mla, model_type: 'deepseek_v2' });
    expect(shape.latent).toEqual({ kvRank: 512, ropeDim: 64, queryRank: 0, valueDim: 256 });
    expect(kvBytesPerToken(shape)).toBe(32 * 576 * 2);
  });

  test.each([
    [{ quant_method: 'fp8' }, 1, 'fp8', 'fp8'],
    [{ quant_method: 'mxfp4' }, 0.53125, 'mxfp4', 'bf16'],
    [{ quant_method: 'awq', bits: 4, group_size: 128 }, 0.5 + 2 / 128, 'w4a16', 'bf16'],
    [{ quant_method: 'gptq', bits: 8, group_size: -1 }, 1, 'w8a16', 'bf16'],
    [{ quant_method: 'modelopt', quant_algo: 'NVFP4' }, 0.5625, 'fp4', 'fp4'],
    [
      {
        quant_method: 'compressed-tensors',
        config_groups: {
          group_0: { weights: { num_bits: 8, type: 'int' }, input_activations: { num_bits: 8 } },
        },
      },
      1,
      'int8',
      'int8',
    ],
    [
      {
        quant_method: 'compressed-tensors',
        config_groups: {
          group_0: { weights: { num_bits: 4, type: 'int', group_size: 64 }, input_activations: null },
        },
      },
      0.5 + 2 / 64,
      'w4a16',
      'bf16',
    ],
  ])('%o', (quantization_config, bytes, format, products) => {
    const shape = read({ quantization_config });
    expect(shape).toMatchObject({ bytesPerWeight: bytes, weightFormat: format });
    const hopper = { peak: { fp32: 1, tf32: 1, bf16: 1, int8: 1, fp8: 1 } };
    expect(productsOn(shape, hopper)).toBe(products);
  });
});

describe('a family that Dyno does not know', () => {
  test('is read from its fields and says so', () => {
    expect(read({ model_type: 'newcomer' }).unmodelled).toContain('"newcomer"');
    expect(read({ model_type: 'deepseek_v32', index_topk: 2048 }).unmodelled).toContain('full attention');
  });

  test.each([
    [{ model_type: 'mamba2' }, /model_type mamba2: its state-space/],
    [{ model_type: 'gpt2', n_embd: 768 }, /two matrices/],
    [{ model_type: 't5', is_encoder_decoder: true }, /decoder-only/],
    [{ ...llama, layer_types: lines(['mamba'], 32) }, /layer_types\[0\]: "mamba", expected full_attention/],
  ])('%o is refused with its reason', (document, expected) => {
    expect(complaint(document)).toMatch(expected);
  });
});

describe('wrong files get one clear line', () => {
  test.each<[string, unknown, RegExp]>([
    ['no object', [1, 2], /there\/config.json: a list of 2, expected a Hugging Face config.json/],
    ['null', null, /null, expected a Hugging Face/],
    ['a missing size', { ...llama, hidden_size: undefined }, /hidden_size or n_embd or d_model: absent/],
    [
      'a word for a number',
      { ...llama, hidden_size: '4096' },
      /hidden_size: "4096", expected a whole number/,
    ],
    ['a fraction', { ...llama, num_hidden_layers: 1.5 }, /num_hidden_layers: 1.5/],
    ['a negative', { ...llama, vocab_size: -1 }, /vocab_size: -1/],
    [
      'a huge one',
      { ...llama, num_hidden_layers: 1e12 },
      /num_hidden_layers: 1000000000000, expected .* 4096/,
    ],
    [
      'heads that do not divide',
      { ...llama, num_key_value_heads: 5 },
      /num_key_value_heads: 5, expected a divisor/,
    ],
    ['text_config that is a list', { text_config: [] }, /text_config: a list of 0, expected an object/],
    [
      'an unknown quantisation',
      { ...llama, quantization_config: { quant_method: 'x' } },
      /quant_method: "x", expected/,
    ],
    ['an unknown type', { ...llama, torch_dtype: 'int3' }, /torch_dtype: "int3"/],
    [
      'too few layer types',
      { ...llama, layer_types: ['full_attention'] },
      /layer_types: a list of 1, expected/,
    ],
  ])('%s', (_, document, expected) => {
    expect(complaint(document)).toMatch(expected);
    expect(complaint(document)).not.toContain('\n');
  });

  test('whatever the fields hold: a shape with finite figures, or one line', () => {
    const keys = [...new Set(builtInModels.flatMap(({ config }) => Object.keys(config)))];
    const value = fc.oneof(
      fc.integer(),
      fc.double(),
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.integer(), { maxLength: 3 }),
      fc.dictionary(fc.string(), fc.integer(), { maxKeys: 3 }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...builtInModels),
        fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 4 }),
        ({ config }, changes) => {
          try {
            const shape = modelFromConfig({ ...config, ...changes }, 'x/config.json');
            expect(Number.isFinite(parameterCount(shape))).toBe(true);
            expect(kvBytesPerToken(shape)).toBeGreaterThanOrEqual(0);
          } catch (thrown) {
            if (!(thrown instanceof InputError)) throw thrown;
            expect(thrown.message.length).toBeLessThan(400);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
