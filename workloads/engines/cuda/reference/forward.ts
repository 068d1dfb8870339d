import type { TransformerShape } from '../device.ts';
import { expertNames } from '../tensorNames.ts';
import { rotaryFrequencies } from './rope.ts';

/**
 * A forward pass in float64, written to be read: the reference that the GPU's kernels are held against. One sequence at a time, its keys
 * and values kept as plain arrays; nothing is fused, nothing is rounded between operators.
 *
 *     x = embedding[token]
 *     per layer   x += Wo · attention(rope(norm?(Wq h)), rope(norm?(Wk h)), Wv h)   h = rms(x) ⊙ g1
 *                 x += mlp(rms(x) ⊙ g2)
 *     logits = Whead · (rms(x) ⊙ g)
 */

export interface ReferenceWeights {
  /** Row-major values of a tensor by its Hugging Face name. */
  tensor(name: string): Float64Array;
}

/** Keys and values of one sequence, per layer: one row of kvHeads × headDim per token. */
export class ReferenceCache {
  readonly keys: Float64Array[][];
  readonly values: Float64Array[][];

  constructor(layers: number) {
    this.keys = Array.from({ length: layers }, () => []);
    this.values = Array.from({ length: layers }, () => []);
  }

  get tokens(): number {
    return this.keys[0]?.length ?? 0;
  }

  /** A sequence that begins with the same `tokens` tokens. */
  prefix(tokens: number): ReferenceCache {
    const copy = new ReferenceCache(this.keys.length);
    for (const [layer, rows] of this.keys.entries()) copy.keys[layer]?.push(...rows.slice(0, tokens));
    for (const [layer, rows] of this.values.entries()) copy.values[layer]?.push(...rows.slice(0, tokens));
    return copy;
  }
}

export class ReferenceTransformer {
  private readonly shape: TransformerShape;
  private readonly weights: ReferenceWeights;
  private readonly frequencies: Float64Array;
  private readonly rotaryScale: number;

  constructor(shape: TransformerShape, weights: ReferenceWeights) {
    this.shape = shape;
    this.weights = weights;
    const { frequencies, scale } = rotaryFrequencies(shape);
    this.frequencies = frequencies;
    this.rotaryScale = scale;
  }

  /** Computes the tokens after those in the cache, adds them to it, and gives the logits of each new position. */
  forward(tokens: readonly number[], cache: ReferenceCache): Float64Array[] {
    const { shape, weights } = this;
    const embedding = weights.tensor('model.embed_tokens.weight');
    const head = shape.tiedEmbeddings ? embedding : weights.tensor('lm_head.weight');
    return tokens.map((token) => {
      if (!(token >= 0 && token < shape.vocab)) throw new RangeError(`token ${token} of ${shape.vocab}`);
      let x: Float64Array = embedding.slice(token * shape.hidden, (token + 1) * shape.hidden);
      const position = cache.tokens;
      for (let layer = 0; layer < shape.layers; layer++) x = this.layer(layer, x, position, cache);
      return product(head, this.norm(x, 'model.norm.weight'), shape.vocab);
    });
  }

  /** Prompt, then `count` tokens, each the most likely; of equals the lowest id. */
  greedy(prompt: readonly number[], count: number): number[] {
    const cache = new ReferenceCache(this.shape.layers);
    let logits = this.forward(prompt, cache).at(-1) ?? new Float64Array(0);
    const out: number[] = [];
    while (out.length < count) {
      const token = largest(logits);
      out.push(token);
      if (out.length < count) logits = this.forward([token], cache).at(-1) ?? logits;
    }
    return out;
  }

  private layer(layer: number, x: Float64Array, position: number, cache: ReferenceCache): Float64Array {
    const at = `model.layers.${layer}.`;
    const attended = this.attention(at, layer, this.norm(x, `${at}input_layernorm.weight`), position, cache);
    const middle = sum(x, attended);
    return sum(middle, this.mlp(at, this.norm(middle, `${at}post_attention_layernorm.weight`)));
  }

  private attention(
    at: string,
    layer: number,
    h: Float64Array,
    position: number,
    cache: ReferenceCache,
  ): Float64Array {
    const { heads, kvHeads, headDim, hidden } = this.shape;
    const queries = this.projection(`${at}self_attn.q_proj`, h, heads * headDim);
    const keys = this.projection(`${at}self_attn.k_proj`, h, kvHeads * headDim);
    const values = this.projection(`${at}self_attn.v_proj`, h, kvHeads * headDim);
    this.normHeads(queries, `${at}self_attn.q_norm.weight`);
    this.normHeads(keys, `${at}self_attn.k_norm.weight`);
    this.rotate(queries, position);
    this.rotate(keys, position);
    const keyRows = cache.keys[layer] ?? [];
    const valueRows = cache.values[layer] ?? [];
    keyRows.push(keys);
    valueRows.push(values);
    const out = new Float64Array(heads * headDim);
    for (let head = 0; head < heads; head++) {
      const shared = Math.floor(head / (heads / kvHeads)) * headDim;
      const scores = keyRows.map((row) => {
        let dot = 0;
        for (let d = 0; d < headDim; d++) dot += (queries[head * headDim + d] ?? 0) * (row[shared + d] ?? 0);
        return dot / Math.sqrt(headDim);
      });
      const shares = softmax(scores);
      valueRows.forEach((row, j) => {
        const share = shares[j] ?? 0;
        for (let d = 0; d < headDim; d++)
          out[head * headDim + d] = (out[head * headDim + d] ?? 0) + share * (row[shared + d] ?? 0);
      });
    }
    return product(this.weights.tensor(`${at}self_attn.o_proj.weight`), out, hidden);
  }

  private projection(name: string, h: Float64Array, rows: number): Float64Array {
    const out = product(this.weights.tensor(`${name}.weight`), h, rows);
    return this.shape.attentionBias === true ? sum(out, this.weights.tensor(`${name}.bias`)) : out;
  }

  private mlp(at: string, h: Float64Array): Float64Array {
    const { experts, ffn, hidden } = this.shape;
    if (experts === undefined) {
      return this.gated(`${at}mlp.gate_proj`, `${at}mlp.up_proj`, `${at}mlp.down_proj`, h, ffn);
    }
    const names = expertNames(this.shape);
    const block = `${at}${names.block}.`;
    const shares = softmax(product(this.weights.tensor(`${block}gate.weight`), h, experts.count));
    const chosen = [...shares.keys()]
      .sort((a, b) => (shares[b] ?? 0) - (shares[a] ?? 0) || a - b)
      .slice(0, experts.topK);
    const whole = experts.normTopK ? chosen.reduce((total, e) => total + (shares[e] ?? 0), 0) : 1;
    const out = new Float64Array(hidden);
    for (const e of chosen) {
      const own = `${block}experts.${e}.`;
      const part = this.gated(own + names.gate, own + names.up, own + names.down, h, experts.ffn);
      const share = (shares[e] ?? 0) / whole;
      for (let i = 0; i < hidden; i++) out[i] = (out[i] ?? 0) + share * (part[i] ?? 0);
    }
    if (experts.sharedFfn === undefined || experts.sharedFfn === 0) return out;
    const own = `${block}shared_expert.`;
    const part = this.gated(`${own}gate_proj`, `${own}up_proj`, `${own}down_proj`, h, experts.sharedFfn);
    const [gate = 0] = product(this.weights.tensor(`${block}shared_expert_gate.weight`), h, 1);
    const share = 1 / (1 + Math.exp(-gate));
    return sum(
      out,
      part.map((value) => share * value),
    );
  }

  /** down · (silu(gate · h) ⊙ (up · h)) */
  private gated(gate: string, up: string, down: string, h: Float64Array, width: number): Float64Array {
    const gates = product(this.weights.tensor(`${gate}.weight`), h, width);
    const ups = product(this.weights.tensor(`${up}.weight`), h, width);
    const inner = gates.map((value, i) => (value / (1 + Math.exp(-value))) * (ups[i] ?? 0));
    return product(this.weights.tensor(`${down}.weight`), inner, this.shape.hidden);
  }

  private norm(x: Float64Array, name: string): Float64Array {
    const gain = this.weights.tensor(name);
    const inverse = 1 / Math.sqrt(meanSquare(x) + this.shape.normEps);
    return x.map((value, i) => value * inverse * (gain[i] ?? 0));
  }

  /** RMSNorm of each head alone (Qwen3). */
  private normHeads(x: Float64Array, name: string): void {
    if (!this.shape.qkNorm) return;
    const { headDim } = this.shape;
    for (let at = 0; at < x.length; at += headDim) x.set(this.norm(x.slice(at, at + headDim), name), at);
  }

  /** Rotary embedding of each head: element d turns with element d + headDim ÷ 2. */
  private rotate(x: Float64Array, position: number): void {
    const { headDim } = this.shape;
    const half = headDim / 2;
    for (let at = 0; at < x.length; at += headDim) {
      for (let d = 0; d < half; d++) {
        const angle = position * (this.frequencies[d] ?? 0);
        // biome-ignore lint/nursery/noJsRestrictedProperties: last bits may differ between engines; tolerances are far above them
        const cos = Math.cos(angle) * this.rotaryScale;
        // biome-ignore lint/nursery/noJsRestrictedProperties: as above
        const sin = Math.sin(angle) * this.rotaryScale;
        const [a, b] = [x[at + d] ?? 0, x[at + d + half] ?? 0];
        x[at + d] = a * cos - b * sin;
        x[at + d + half] = b * cos + a * sin;
      }
    }
  }
}

/** Matrix (rows × x.length, row-major) times vector. */
function product(matrix: Float64Array, x: Float64Array, rows: number): Float64Array {
  const columns = x.length;
  const out = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let dot = 0;
    for (let i = 0; i < columns; i++) dot += (matrix[row * columns + i] ?? 0) * (x[i] ?? 0);
    out[row] = dot;
  }
  return out;
}

const sum = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value + (b[i] ?? 0));

const meanSquare = (x: Float64Array): number =>
  x.reduce((total, value) => total + value * value, 0) / x.length;

function softmax(scores: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(scores);
  const most = values.reduce((best, value) => Math.max(best, value), -Infinity);
  const exponentials = values.map((value) => Math.exp(value - most));
  const total = exponentials.reduce((all, value) => all + value, 0);
  return exponentials.map((value) => value / total);
}

/** Index of the largest; of equals the first. */
export function largest(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++)
    if ((values[i] ?? -Infinity) > (values[best] ?? -Infinity)) best = i;
  return best;
}
