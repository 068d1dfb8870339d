import type { TransformerShape } from './device.ts';

/** One tensor that a model needs, by its Hugging Face name. Random weights are `centre` + `scale` · u, u uniform in (−1, 1). */
export interface ExpectedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly centre: number;
  readonly scale: number;
}

/** Uniform in ±scale has a root mean square of scale ÷ √3: 0.02, as models are initialised. In FP32, as the device draws it. */
export const matrixScale = Math.fround(Math.fround(0.02) * Math.fround(1.7320508));
const normScale = 0.125;

/** Every tensor of a model, in the order in which the device lays them out. */
export function expectedTensors(s: TransformerShape): ExpectedTensor[] {
  const tensors: ExpectedTensor[] = [];
  const matrix = (name: string, ...shape: number[]) =>
    void tensors.push({ name: `${name}`, shape, centre: 0, scale: matrixScale });
  const norm = (name: string, size: number) =>
    void tensors.push({ name: `${name}.weight`, shape: [size], centre: 1, scale: normScale });
  const queries = s.heads * s.headDim;
  const keys = s.kvHeads * s.headDim;
  matrix('model.embed_tokens.weight', s.vocab, s.hidden);
  for (let layer = 0; layer < s.layers; layer++) {
    const at = `model.layers.${layer}.`;
    norm(`${at}input_layernorm`, s.hidden);
    matrix(`${at}self_attn.q_proj.weight`, queries, s.hidden);
    matrix(`${at}self_attn.k_proj.weight`, keys, s.hidden);
    matrix(`${at}self_attn.v_proj.weight`, keys, s.hidden);
    if (s.attentionBias === true) {
      matrix(`${at}self_attn.q_proj.bias`, queries);
      matrix(`${at}self_attn.k_proj.bias`, keys);
      matrix(`${at}self_attn.v_proj.bias`, keys);
    }
    if (s.qkNorm) {
      norm(`${at}self_attn.q_norm`, s.headDim);
      norm(`${at}self_attn.k_norm`, s.headDim);
    }
    matrix(`${at}self_attn.o_proj.weight`, s.hidden, queries);
    norm(`${at}post_attention_layernorm`, s.hidden);
    mlpTensors(s, at, matrix);
  }
  norm('model.norm', s.hidden);
  if (!s.tiedEmbeddings) matrix('lm_head.weight', s.vocab, s.hidden);
  return tensors;
}

function mlpTensors(
  s: TransformerShape,
  at: string,
  matrix: (name: string, ...shape: number[]) => void,
): void {
  const { experts } = s;
  if (experts === undefined) {
    matrix(`${at}mlp.gate_proj.weight`, s.ffn, s.hidden);
    matrix(`${at}mlp.up_proj.weight`, s.ffn, s.hidden);
    matrix(`${at}mlp.down_proj.weight`, s.hidden, s.ffn);
    return;
  }
  const names = expertNames(s);
  const block = `${at}${names.block}.`;
  matrix(`${block}gate.weight`, experts.count, s.hidden);
  for (let e = 0; e < experts.count; e++) {
    matrix(`${block}experts.${e}.${names.gate}.weight`, experts.ffn, s.hidden);
    matrix(`${block}experts.${e}.${names.up}.weight`, experts.ffn, s.hidden);
    matrix(`${block}experts.${e}.${names.down}.weight`, s.hidden, experts.ffn);
  }
  if (experts.sharedFfn !== undefined && experts.sharedFfn > 0) {
    matrix(`${block}shared_expert.gate_proj.weight`, experts.sharedFfn, s.hidden);
    matrix(`${block}shared_expert.up_proj.weight`, experts.sharedFfn, s.hidden);
    matrix(`${block}shared_expert.down_proj.weight`, s.hidden, experts.sharedFfn);
    matrix(`${block}shared_expert_gate.weight`, 1, s.hidden);
  }
}

/** How a family calls the parts of its experts. */
export const expertNames = (s: TransformerShape) =>
  s.family === 'mixtral'
    ? { block: 'block_sparse_moe', gate: 'w1', up: 'w3', down: 'w2' }
    : { block: 'mlp', gate: 'gate_proj', up: 'up_proj', down: 'down_proj' };
