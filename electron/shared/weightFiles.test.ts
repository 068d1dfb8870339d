import { mkdtempSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectedTensors } from '../../workloads/engines/cuda/tensorNames.ts';
import { transformerShape } from '../../workloads/engines/cuda/transformerShape.ts';
import { writeSafetensors } from '../../workloads/model/safetensors.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import { readWeightFile, weightSources } from './weightFiles.ts';

const config = {
  model_type: 'qwen3',
  hidden_size: 64,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 64,
  vocab_size: 32,
  tie_word_embeddings: true,
};
const shape = transformerShape(config, 'config.json');
const tensors = expectedTensors(shape).map((tensor) => ({
  ...tensor,
  dtype: 'BF16',
  data: new Uint8Array(2 * tensor.shape.reduce((product, n) => product * n, 1)),
}));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-weights-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const single = (): string => join(folder, 'model.safetensors');
const writeSingle = (list: readonly (typeof tensors)[number][] = tensors): void =>
  writeFileSync(single(), writeSafetensors(list));
function writeShards(): void {
  const half = Math.ceil(tensors.length / 2);
  const parts = [tensors.slice(0, half), tensors.slice(half)];
  const map: Record<string, string> = {};
  parts.forEach((part, i) => {
    const name = `model-0000${i + 1}-of-00002.safetensors`;
    writeFileSync(join(folder, name), writeSafetensors(part));
    for (const tensor of part) map[tensor.name] = name;
  });
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
}
const complaint = (body: () => unknown): string => {
  try {
    body();
  } catch (thrown) {
    if (thrown instanceof InputError) return thrown.message;
    throw thrown;
  }
  return '';
};

test('one file, or shards by their index: each tensor with its place', () => {
  writeSingle();
  const whole = weightSources(folder, shape);
  expect(whole.map(({ name }) => name)).toEqual(tensors.map(({ name }) => name));
  expect(whole[1]?.offset).toBe((whole[0]?.offset ?? 0) + 2 * 32 * 64);
  unlinkSync(single());
  writeShards();
  expect(weightSources(folder, shape).map(({ name, bytes }) => [name, bytes])).toEqual(
    whole.map(({ name, bytes }) => [name, bytes]),
  );
});

describe('one clear line each', () => {
  test('a truncated file names the tensor and both sizes', () => {
    writeSingle();
    truncateSync(single(), 20_000);
    expect(complaint(() => weightSources(folder, shape))).toMatch(
      /model.safetensors: model\.\S+: ends at byte \d+, but the file has 20000: it is cut off/,
    );
  });

  test('a file cut off within its header', () => {
    writeSingle();
    truncateSync(single(), 100);
    expect(complaint(() => weightSources(folder, shape))).toMatch(
      /header takes \d+ bytes, but the file has 100/,
    );
  });

  test('a missing shard', () => {
    writeShards();
    unlinkSync(join(folder, 'model-00002-of-00002.safetensors'));
    expect(complaint(() => weightSources(folder, shape))).toMatch(
      /model-00002-of-00002.safetensors: missing, expected the shard .* for \d+ tensors/,
    );
  });

  test('a missing tensor, a wrong shape, a type that is not loaded', () => {
    writeSingle(tensors.slice(0, -1));
    expect(complaint(() => weightSources(folder, shape))).toMatch(
      /1 tensors are missing, first model.norm.weight/,
    );
    const [first, ...rest] = tensors;
    if (first === undefined) throw new Error('no tensors');
    writeSingle([{ ...first, shape: [64, 32] }, ...rest]);
    expect(complaint(() => weightSources(folder, shape))).toMatch(
      /shape \[64, 32\], expected \[32, 64\] by config/,
    );
    writeSingle([{ ...first, dtype: 'I16' }, ...rest]);
    expect(complaint(() => weightSources(folder, shape))).toMatch(/I16, expected one of BF16/);
  });

  test('no weights, or those of another format', () => {
    expect(complaint(() => weightSources(folder, shape))).toContain('--weights random:SEED');
    writeFileSync(join(folder, 'pytorch_model.bin'), 'x');
    expect(complaint(() => weightSources(folder, shape))).toContain('found pytorch_model.bin');
    expect(complaint(() => weightSources(join(folder, 'none'), shape))).toContain('no such file');
  });

  test('an index that points out of the folder', () => {
    writeFileSync(join(folder, 'model.safetensors.index.json'), '{"weight_map": {"a": "../b.safetensors"}}');
    expect(complaint(() => weightSources(folder, shape))).toContain('expected a file in the same folder');
  });

  test('overlapping tensors', () => {
    const header = JSON.stringify({
      a: { dtype: 'U8', shape: [4], data_offsets: [0, 4] },
      b: { dtype: 'U8', shape: [4], data_offsets: [2, 6] },
    });
    const bytes = new Uint8Array(8 + header.length + 8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(Buffer.from(header), 8);
    writeFileSync(single(), bytes);
    expect(complaint(() => readWeightFile(single()))).toMatch(/: b overlaps a/);
  });

  test('any damage to a file is either harmless or one line', () => {
    const good = writeSafetensors(tensors.slice(0, 3));
    fc.assert(
      fc.property(fc.nat(400), fc.nat(255), fc.nat(good.length), (at, value, length) => {
        const bad = good.slice(0, length);
        if (at < bad.length) bad[at] = value;
        writeFileSync(single(), bad);
        expect(complaint(() => readWeightFile(single()))).not.toContain('\n');
      }),
      { numRuns: 200 },
    );
  });
});

test.each([
  [{ ...config, model_type: 'gpt_oss' }, /engine cuda runs llama/],
  [{ ...config, quantization_config: { quant_method: 'fp8' } }, /without quantisation/],
  [{ ...config, model_type: 'mistral', sliding_window: 128 }, /whole context/],
  [{ ...config, rope_scaling: { rope_type: 'longrope' } }, /rope_type: "longrope", expected default, linear/],
  [{ ...config, hidden_act: 'gelu' }, /hidden_act: "gelu", expected silu/],
])('an architecture that the kernels do not compute: %o', (document, expected) => {
  expect(complaint(() => transformerShape(document, 'config.json'))).toMatch(expected);
});
