// A Llama model of random weights that llama-server loads: GGUF version 3, little-endian, 32-bit floats, 572 KB.
//
// Vocabulary: 0 <unk>, 1 <s>, 2 </s>, 3 … 258 the 256 bytes, then the words " w000", " w001" …: each generated token can be
// counted in the text. Hidden dimension 0 is constant, since row 0 of attn_output and ffn_down is zero: a row of
// output.weight is biased through its first column, so bytes and specials are never sampled and </s> comes with the chance
// `endChance`.
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { userCache } from '../../../scripts/project.mjs';

export interface TinyModel {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly feedForward: number;
  readonly words: number;
  readonly context: number;
  /** Chance of the end token at each step at temperature 1; 0: never. */
  readonly endChance: number;
  readonly seed: number;
}

/** Loads in 0.3 s; a token takes 0.2 ms alone on one thread. */
export const tinyModel: TinyModel = {
  ...{ layers: 2, width: 64, heads: 4, kvHeads: 2, feedForward: 128, words: 253 },
  ...{ context: 65_536, endChance: 0, seed: 1 },
};

/** Enough work per token that prefill and queueing show: 9.8 M parameters, 39 MB. */
export const slowModel: TinyModel = {
  ...tinyModel,
  ...{ layers: 6, width: 384, heads: 6, kvHeads: 2, feedForward: 1024 },
};

/** The model as a file in the machine's cache folder, written where it is not there yet. */
export function modelFile(model: TinyModel): string {
  const folder = join(userCache(), 'tiny-models');
  mkdirSync(folder, { recursive: true });
  const name = Object.values(model).join('-');
  const file = join(folder, `v1-${name}.gguf`);
  if (!existsSync(file)) {
    const staging = `${file}.${process.pid}`;
    writeFileSync(staging, tinyGguf(model));
    renameSync(staging, file);
  }
  return file;
}

interface Tensor {
  readonly name: string;
  /** Inner dimension first. */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export function tinyGguf(model: TinyModel): Buffer {
  const tensors = tensorsOf(model);
  const metadata = metadataOf(model);
  const head = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(metadata.length), ...metadata];
  let offset = 0;
  for (const { name, shape, data } of tensors) {
    head.push(text(name), u32(shape.length), ...shape.map(u64), u32(0), u64(offset));
    offset += padded(data.byteLength);
  }
  const parts = [aligned(Buffer.concat(head))];
  for (const { data } of tensors)
    parts.push(aligned(Buffer.from(data.buffer, data.byteOffset, data.byteLength)));
  return Buffer.concat(parts);
}

const alignment = 32;
const padded = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;
const aligned = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc(padded(bytes.length) - bytes.length)]);

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}
function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

/** Type numbers of GGUF metadata. */
const kinds = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 };

const pair = (key: string, kind: number, value: Buffer): Buffer =>
  Buffer.concat([text(key), u32(kind), value]);
const number = (key: string, value: number): Buffer => pair(key, kinds.u32, u32(value));
const list = (key: string, kind: number, items: readonly Buffer[]): Buffer =>
  pair(key, kinds.array, Buffer.concat([u32(kind), u64(items.length), ...items]));

function metadataOf(model: TinyModel): Buffer[] {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
  const words = Array.from({ length: model.words }, (_, i) => `\u2581w${String(i).padStart(3, '0')}`);
  const types = [2, 3, 3, ...bytes.map(() => 6), ...words.map(() => 1)];
  const scores = [...Array.from({ length: 259 }, () => 0), ...words.map((_, i) => -i)];
  const template =
    '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}';
  return [
    pair('general.architecture', kinds.string, text('llama')),
    pair('general.name', kinds.string, text('tiny-random')),
    number('general.alignment', alignment),
    number('general.file_type', 0),
    number('llama.context_length', model.context),
    number('llama.embedding_length', model.width),
    number('llama.block_count', model.layers),
    number('llama.feed_forward_length', model.feedForward),
    number('llama.attention.head_count', model.heads),
    number('llama.attention.head_count_kv', model.kvHeads),
    pair('llama.attention.layer_norm_rms_epsilon', kinds.f32, f32(1e-5)),
    number('llama.rope.dimension_count', model.width / model.heads),
    number('llama.vocab_size', 259 + model.words),
    pair('tokenizer.ggml.model', kinds.string, text('llama')),
    list('tokenizer.ggml.tokens', kinds.string, ['<unk>', '<s>', '</s>', ...bytes, ...words].map(text)),
    list('tokenizer.ggml.scores', kinds.f32, scores.map(f32)),
    list('tokenizer.ggml.token_type', kinds.i32, types.map(i32)),
    number('tokenizer.ggml.bos_token_id', 1),
    number('tokenizer.ggml.eos_token_id', 2),
    number('tokenizer.ggml.unknown_token_id', 0),
    pair('tokenizer.ggml.add_bos_token', kinds.bool, Buffer.from([1])),
    pair('tokenizer.ggml.add_space_prefix', kinds.bool, Buffer.from([0])),
    pair('tokenizer.chat_template', kinds.string, text(template)),
  ];
}

function tensorsOf(model: TinyModel): Tensor[] {
  const { width: d, layers, words, endChance } = model;
  const vocabulary = 259 + words;
  const next = normal(model.seed);
  const gauss = (n: number, deviation: number) => Float32Array.from({ length: n }, () => next() * deviation);
  const ones = (n: number) => new Float32Array(n).fill(1);
  /** `rows` rows of `inner` numbers; `keeps0`: row 0 is zero, so dimension 0 of the residual stays constant. */
  const matrix = (inner: number, rows: number, keeps0 = false) => {
    const data = gauss(inner * rows, 1 / Math.sqrt(inner));
    if (keeps0) data.fill(0, 0, inner);
    return data;
  };
  const embedding = gauss(d * vocabulary, 1);
  for (let v = 0; v < vocabulary; v += 1) embedding[v * d] = Math.sqrt(d);
  const head = gauss(d * vocabulary, 1 / Math.sqrt(d));
  // After the norm |h| = √d and h[0] is about √d / √(2 + layers); a bias b needs head[v][0] = b / h[0].
  const h0 = Math.sqrt(d) / Math.sqrt(2 + layers);
  const endBias = endChance <= 0 ? -1e3 : Math.log((endChance / (1 - endChance)) * words) / h0;
  for (let v = 0; v < vocabulary; v += 1) head[v * d] = v >= 259 ? 0 : v === 2 ? endBias : -1e3;
  const kv = (d / model.heads) * model.kvHeads;
  const tensors: Tensor[] = [{ name: 'token_embd.weight', shape: [d, vocabulary], data: embedding }];
  for (let i = 0; i < layers; i += 1) {
    const add = (name: string, shape: readonly number[], data: Float32Array) =>
      tensors.push({ name: `blk.${i}.${name}.weight`, shape, data });
    add('attn_norm', [d], ones(d));
    add('attn_q', [d, d], matrix(d, d));
    add('attn_k', [d, kv], matrix(d, kv));
    add('attn_v', [d, kv], matrix(d, kv));
    add('attn_output', [d, d], matrix(d, d, true));
    add('ffn_norm', [d], ones(d));
    add('ffn_gate', [d, model.feedForward], matrix(d, model.feedForward));
    add('ffn_up', [d, model.feedForward], matrix(d, model.feedForward));
    add('ffn_down', [model.feedForward, d], matrix(model.feedForward, d, true));
  }
  tensors.push({ name: 'output_norm.weight', shape: [d], data: ones(d) });
  tensors.push({ name: 'output.weight', shape: [d, vocabulary], data: head });
  return tensors;
}

/** Normal draws: mulberry32 and Box–Muller. */
function normal(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
