/** `model_type` of configurations: what is known of a family by its name alone. */

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Families whose layers are what the reader takes them for. */
export const knownTypes: ReadonlySet<string> = new Set(
  words(`
    llama llama4 llama4_text yi baichuan internlm2 internlm3 smollm3 seed_oss
    mistral mistral3 ministral mixtral
    qwen2 qwen2_moe qwen3 qwen3_moe qwen3_next qwen2_5_vl_text qwen3_vl_text qwen3_vl_moe_text
    deepseek deepseek_v2 deepseek_v3 deepseek_v32 kimi_k2
    gemma gemma2 gemma3 gemma3_text gpt_oss glm glm4 glm4_moe glm4_moe_lite minimax_m2
    phi3 phimoe olmo2 olmo3 olmoe granite granitemoe cohere cohere2 exaone4 ernie4_5 ernie4_5_moe hunyuan_v1_dense
  `),
);

const refused = (types: string, why: string): [string, string][] => words(types).map((type) => [type, why]);

/** Families that no shape of ours holds, and why. */
export const refusedTypes: ReadonlyMap<string, string> = new Map([
  ...refused(
    `mamba mamba2 falcon_mamba jamba zamba zamba2 bamba nemotron_h falcon_h1 granitemoehybrid rwkv rwkv7 lfm2 lfm2_moe
     recurrent_gemma kimi_linear minimax_text_01 minimax`,
    'its state-space, convolution or lightning layers are not modelled',
  ),
  ...refused(
    'gpt2 gpt_neo gpt_neox gptj opt bloom falcon mpt phi starcoder2 gpt_bigcode nemotron codegen persimmon',
    'its MLP has two matrices; gated ones of three are modelled',
  ),
  ...refused(
    `bert roberta xlm-roberta distilbert deberta deberta-v2 electra albert modernbert t5 mt5 bart whisper clip vit siglip`,
    'it is no decoder-only language model',
  ),
]);

/** transformers' default of `tie_word_embeddings` in these families is true. */
export const tiedByDefault = /^(gemma|cohere|phi4|lfm)/;
