import type { ConfigFields } from './configFields.ts';
import { kvLayers, type ModelShape } from './shape.ts';

/** Norms, biases, sinks and correction terms: what a parameter count holds beside matrices. */
export function smallParameters(m: ModelShape, fields: ConfigFields, type: string): number {
  const sparse = m.experts === undefined ? 0 : m.layers - m.experts.denseLayers;
  const normsPerLayer = /^(gemma2|gemma3|glm4$)/.test(type) ? 4 : 2;
  let small = (normsPerLayer * m.layers + 1) * m.hidden;
  const queries = m.heads * m.headDim;
  const keys = m.kvHeads * m.headDim;
  if (m.latent !== undefined) small += m.layers * (m.latent.queryRank + m.latent.kvRank);
  if (/^(qwen3|gemma3|hunyuan|exaone4)/.test(type) || fields.value('use_qk_norm') === true) {
    // MiniMax and OLMo 2 norm the whole projection, the others each head.
    small += kvLayers(m) * (type === 'minimax_m2' ? queries + keys : 2 * m.headDim);
  } else if (/^olmo(2|3|e)/.test(type)) small += kvLayers(m) * (queries + keys);
  if (/^qwen2/.test(type) || fields.value('attention_bias') === true)
    small += kvLayers(m) * (queries + 2 * keys);
  if (fields.value('attention_bias') === true && /^(llama|gpt_oss|seed_oss)/.test(type))
    small += m.layers * m.hidden;
  if (m.experts !== undefined) {
    const { count, intermediate } = m.experts;
    if (/^(deepseek_v3|kimi_k2|glm4_moe|minimax_m2)/.test(type)) small += sparse * count;
    if (/^(qwen2_moe|qwen3_next)/.test(type)) small += sparse * m.hidden;
    if (type === 'gpt_oss') {
      small += sparse * (count + count * (2 * intermediate + m.hidden)) + m.layers * m.heads;
    }
  }
  if (m.linear !== undefined) {
    const valueHeads = fields.whole(['linear_num_value_heads'], 1, 1 << 20);
    small += m.linear.layers * (2 * valueHeads + fields.whole(['linear_value_head_dim'], 1, 1 << 20));
  }
  return small;
}
