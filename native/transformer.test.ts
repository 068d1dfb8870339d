// The transformer through the addon on the fake driver: its kernels compute, so tokens and logits are checked by numbers.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadAddon } from './addon.ts';
import { type FakeDriver, fakeDriver } from './fakeDrivers.ts';
import { randomWeight, weightDistribution, weightKey } from './randomWeights.ts';
import {
  type CopyResult,
  type KvPool,
  type PassPlan,
  type PassResult,
  rowFromDevice,
  rowPrefill,
  rowSamples,
  Transformer,
  type TransformerInstance,
  type TransformerShape,
  type WeightSource,
} from './transformer.ts';

const folder = join(import.meta.dirname, 'build');
const built = existsSync(join(folder, 'dyno.node'));

const tiny: TransformerShape = {
  family: 'llama',
  layers: 2,
  hidden: 64,
  heads: 4,
  kvHeads: 2,
  headDim: 64,
  ffn: 96,
  vocab: 61,
  maxPositions: 256,
  normEps: 1e-5,
  rope: { theta: 10_000 },
  qkNorm: false,
  tiedEmbeddings: false,
};
const qwen: TransformerShape = { ...tiny, family: 'qwen3', headDim: 128, qkNorm: true, tiedEmbeddings: true };

const mixtral: TransformerShape = {
  ...tiny,
  family: 'mixtral',
  experts: { count: 4, topK: 2, ffn: 48, normTopK: true },
};
const qwenMoe: TransformerShape = {
  ...tiny,
  family: 'qwen3_moe',
  qkNorm: true,
  experts: { count: 20, topK: 3, ffn: 16, normTopK: false, sharedFfn: 32 },
};

const drivers: FakeDriver[] = [];
const folders: string[] = [];
afterEach(() => {
  for (const driver of drivers.splice(0)) driver.remove();
  for (const each of folders.splice(0)) rmSync(each, { recursive: true, force: true });
});

const modules = [
  'layers',
  'greedy',
  'weights',
  'gemv',
  'attention_decode',
  'attention_prefill',
  'attention_hopper',
  'moe_route',
  'moe_decode',
  'moe_grouped',
  'sample',
];

async function open(
  shape = tiny,
  weights: WeightSource = { kind: 'random', seed: 3 },
  script: readonly string[] = [],
) {
  const driver = fakeDriver('fake_cuda', script);
  drivers.push(driver);
  const kernels = join(driver.folder, 'kernels');
  mkdirSync(join(kernels, 'transformer'), { recursive: true });
  for (const name of modules) writeFileSync(join(kernels, 'transformer', `${name}.fatbin`), 'fake');
  const loaded = loadAddon(folder);
  if (!('addon' in loaded)) throw new Error(loaded.reason);
  const libraries = { cuda: driver.path, cublasLt: join(folder, 'fake', 'libfake_cublaslt.so') };
  return {
    driver,
    answer: await Transformer.open(loaded.addon, kernels, libraries, { device: 0, shape, weights }),
  };
}

async function serving(shape = tiny, weights?: WeightSource) {
  const { answer, driver } = await open(shape, weights);
  if (!answer.ok) throw new Error(answer.error.message);
  const transformer = answer.value;
  const pool = granted(transformer.kvPool({ blocks: 40, blockTokens: 16 }));
  const instance = granted(transformer.instance({ pool, maxSequences: 6, maxTokens: 128 }));
  return { transformer, pool, instance, driver };
}

function granted<T>(answer: { ok: true; value: T } | { ok: false; error: { message: string } }): T {
  if (!answer.ok) throw new Error(answer.error.message);
  return answer.value;
}

interface RowSpec {
  readonly slot: number;
  readonly start: number;
  readonly tokens: readonly number[] | 'device';
  readonly prefill?: boolean;
  readonly samples?: boolean;
  readonly blocks: readonly number[];
}

function plan(rows: readonly RowSpec[], more: Partial<PassPlan> = {}): PassPlan {
  const offsets = [0];
  for (const row of rows) offsets.push((offsets.at(-1) ?? 0) + row.blocks.length);
  return {
    slots: Int32Array.from(rows, (row) => row.slot),
    starts: Int32Array.from(rows, (row) => row.start),
    counts: Int32Array.from(rows, (row) => (row.tokens === 'device' ? 1 : row.tokens.length)),
    flags: Uint8Array.from(
      rows,
      (row) =>
        (row.prefill === true ? rowPrefill : 0) |
        (row.samples === false ? 0 : rowSamples) |
        (row.tokens === 'device' ? rowFromDevice : 0),
    ),
    tokens: Int32Array.from(rows.flatMap((row) => (row.tokens === 'device' ? [] : row.tokens))),
    blockOffsets: Int32Array.from(offsets),
    blocks: Int32Array.from(rows.flatMap((row) => row.blocks)),
    ...more,
  };
}

function run(instance: TransformerInstance, asked: PassPlan): Promise<PassResult> {
  return new Promise((resolve, reject) => {
    instance.pass(asked, (answer) =>
      answer.ok ? resolve(answer.value) : reject(new Error(`${answer.error.code}: ${answer.error.message}`)),
    );
  });
}

const prompt = Array.from({ length: 40 }, (_, i) => (i * 17 + 5) % 61);

describe.skipIf(!built)('the transformer on the fake driver', () => {
  it.each([
    ['llama', tiny],
    ['qwen3', qwen],
    ['mixtral', mixtral],
    ['qwen3-moe', qwenMoe],
  ])('chunks, mixes and replays without changing what is computed: %s', async (_, shape) => {
    const { transformer, instance } = await serving(shape);
    const whole = await run(
      instance,
      plan([{ slot: 0, start: 0, tokens: prompt, prefill: true, blocks: [7, 3, 9] }], {
        logits: 'all',
        sampleAll: true,
      }),
    );
    expect(whole.tokens).toHaveLength(40);
    const last = whole.logits?.subarray(39 * 61);

    // Two chunks, the second beside another sequence's prefill.
    await run(
      instance,
      plan([
        { slot: 1, start: 0, tokens: prompt.slice(0, 23), prefill: true, samples: false, blocks: [0, 1] },
      ]),
    );
    const mixed = await run(
      instance,
      plan(
        [
          { slot: 2, start: 0, tokens: prompt.slice(0, 9), prefill: true, blocks: [20] },
          { slot: 1, start: 23, tokens: prompt.slice(23), prefill: true, blocks: [0, 1, 2] },
        ],
        { logits: 'sampled' },
      ),
    );
    expect(mixed.logits?.subarray(61)).toEqual(last);
    expect(mixed.logits?.subarray(0, 61)).toEqual(whole.logits?.subarray(8 * 61, 9 * 61));

    // Decode of the same tokens by graph: the device's own last token continues.
    const first = whole.tokens.at(-1) ?? 0;
    const graph = await run(
      instance,
      plan([
        { slot: 0, start: 40, tokens: 'device', blocks: [7, 3, 9] },
        { slot: 1, start: 40, tokens: [first], blocks: [0, 1, 2] },
        { slot: 2, start: 9, tokens: 'device', blocks: [20] },
      ]),
    );
    expect(graph).toMatchObject({ graph: true, launches: 1 });
    expect(graph.tokens[0]).toBe(graph.tokens[1]);
    const eager = await run(
      instance,
      plan([{ slot: 3, start: 40, tokens: [first], blocks: [7, 3, 9] }], {
        logits: 'sampled',
        confidence: true,
      }),
    );
    expect(eager.graph).toBe(false);
    expect(eager.tokens[0]).toBe(graph.tokens[0]);
    const top = Math.max(...(eager.logits ?? []));
    const sum = (eager.logits ?? new Float32Array()).reduce(
      (total, logit) => total + Math.exp(logit - top),
      0,
    );
    expect(eager.confidence?.[0]).toBeCloseTo(1 / sum, 5);
    await transformer.close();
  });

  it('draws the weights that randomWeight draws', async () => {
    // One layer whose output the residual hides: logits of a tied model are norm(embedding + …); here only the first value counts.
    const key = weightKey(3, 'model.embed_tokens.weight');
    const { centre, scale } = weightDistribution('model.embed_tokens.weight');
    const { transformer, instance } = await serving();
    const embedding = Array.from({ length: 64 }, (_, i) => randomWeight(key, 5 * 64 + i, centre, scale));
    const norm = Array.from({ length: 64 }, (_, i) =>
      randomWeight(weightKey(3, 'model.norm.weight'), i, 1, 0.125),
    );
    const head = weightKey(3, 'lm_head.weight');
    const rms = Math.sqrt(embedding.reduce((total, x) => total + x * x, 0) / 64 + 1e-5);
    const result = await run(
      instance,
      plan([{ slot: 0, start: 0, tokens: [5], prefill: true, blocks: [0] }], {
        logits: 'sampled',
        layers: { from: 0, to: 0, head: true },
      }),
    );
    for (let v = 0; v < 61; ++v) {
      const expected = embedding.reduce(
        (total, x, i) => total + (x / rms) * (norm[i] ?? 0) * randomWeight(head, v * 64 + i, centre, scale),
        0,
      );
      expect(result.logits?.[v]).toBeCloseTo(expected, 2);
    }
    await transformer.close();
  });

  it('continues above an early exit from the hidden states it kept', async () => {
    const { transformer, instance } = await serving();
    await run(instance, plan([{ slot: 0, start: 0, tokens: prompt, prefill: true, blocks: [0, 1, 2] }]));
    const full = await run(instance, plan([{ slot: 0, start: 40, tokens: [11], blocks: [0, 1, 2] }]));
    const early = await run(
      instance,
      plan([{ slot: 0, start: 40, tokens: [11], blocks: [0, 1, 2] }], {
        layers: { from: 0, to: 1, head: true },
        confidence: true,
      }),
    );
    expect(early.confidence?.[0]).toBeGreaterThan(0);
    const rest = await run(
      instance,
      plan([{ slot: 0, start: 40, tokens: [11], blocks: [0, 1, 2] }], {
        layers: { from: 1, to: 2, head: true },
      }),
    );
    expect(rest.tokens).toEqual(full.tokens);
    await transformer.close();
  });

  it.each([
    ['mixtral', mixtral],
    ['qwen3-moe with a shared expert', qwenMoe],
  ])('counts what each expert is given, for few tokens as for many: %s', async (_, shape) => {
    const { transformer, instance } = await serving(shape);
    const long = Array.from({ length: 90 }, (_, i) => (i * 7 + 1) % 61);
    const blocks = [0, 1, 2, 3, 4, 5];
    // 90 tokens take the grouped products, chunks of 45 those of few tokens.
    const many = await run(
      instance,
      plan([{ slot: 0, start: 0, tokens: long, prefill: true, blocks }], { logits: 'sampled' }),
    );
    const halves: PassResult[] = [];
    for (const start of [0, 45])
      halves.push(
        await run(
          instance,
          plan(
            [
              {
                slot: 1,
                start,
                tokens: long.slice(start, start + 45),
                prefill: true,
                blocks: [6, 7, 8, 9, 10, 11],
              },
            ],
            {
              logits: 'sampled',
            },
          ),
        ),
      );
    expect(halves[1]?.logits).toEqual(many.logits);
    const experts = shape.experts?.count ?? 0;
    const loads = Array.from(many.expertTokens ?? []);
    expect(loads).toHaveLength(2 * experts);
    expect(loads.slice(0, experts).reduce((a, b) => a + b)).toBe(90 * (shape.experts?.topK ?? 0));
    expect(loads).toEqual(
      loads.map((_, i) => (halves[0]?.expertTokens?.[i] ?? 0) + (halves[1]?.expertTokens?.[i] ?? 0)),
    );
    // A layer outside the pass counts nothing.
    const decode = plan([{ slot: 0, start: 90, tokens: 'device', blocks }], {
      layers: { from: 0, to: 1, head: true },
    });
    const early = Array.from((await run(instance, decode)).expertTokens ?? []);
    expect(early.slice(0, experts).reduce((a, b) => a + b)).toBe(shape.experts?.topK);
    expect(Math.max(...early.slice(experts))).toBe(0);
    await transformer.close();
  });

  it('repeats what a seed draws, in any batch, and keeps to masks', async () => {
    const { transformer, instance } = await serving();
    const rows = (count: number): RowSpec[] =>
      Array.from({ length: count }, (_, i) => ({
        slot: i,
        start: 0,
        tokens: prompt,
        prefill: true,
        blocks: [3 * i, 3 * i + 1, 3 * i + 2],
      }));
    const sampling = (count: number, temperature: number, step: number) => ({
      temperature: new Float32Array(count).fill(temperature),
      topP: new Float32Array(count).fill(0.9),
      draws: Uint32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? 70 + i : step)),
    });
    const drawn = await run(instance, plan(rows(3), { sampling: sampling(3, 2, 5) }));
    expect(new Set(drawn.tokens).size).toBeGreaterThan(1);
    expect((await run(instance, plan(rows(2), { sampling: sampling(2, 2, 5) }))).tokens).toEqual(
      drawn.tokens.slice(0, 2),
    );
    expect((await run(instance, plan(rows(3), { sampling: sampling(3, 2, 6) }))).tokens).not.toEqual(
      drawn.tokens,
    );
    const greedy = await run(instance, plan(rows(3)));
    expect((await run(instance, plan(rows(3), { sampling: sampling(3, 0, 5) }))).tokens).toEqual(
      greedy.tokens,
    );
    // Decode: the graph ends before the head. Row 0 may draw tokens 32 and 40 only.
    const mask = { masks: Uint32Array.of(0, 0x101), mask: Int32Array.of(0, -1) };
    const decode = await run(
      instance,
      plan(
        [
          { slot: 0, start: 40, tokens: 'device', blocks: [0, 1, 2] },
          { slot: 1, start: 40, tokens: 'device', blocks: [3, 4, 5] },
        ],
        { sampling: { ...sampling(2, 2, 7), ...mask } },
      ),
    );
    expect(decode.graph).toBe(true);
    expect([32, 40]).toContain(decode.tokens[0]);
    const bad = { ...sampling(1, 1, 0), masks: Uint32Array.of(1, 2), mask: Int32Array.of(1) };
    await expect(run(instance, plan(rows(1), { sampling: bad }))).rejects.toThrow(
      'Row 0 of the pass: mask 1, there are 1.',
    );
    const cold = { ...sampling(1, -1, 0) };
    await expect(run(instance, plan(rows(1), { sampling: cold }))).rejects.toThrow('temperature');
    await transformer.close();
  });

  it('copies blocks to the host and back, layer by layer', async () => {
    const { transformer, pool, instance } = await serving();
    await run(instance, plan([{ slot: 0, start: 0, tokens: prompt, prefill: true, blocks: [0, 1, 2] }]));
    const before = await run(instance, plan([{ slot: 0, start: 40, tokens: [1], blocks: [0, 1, 2] }]));
    const tier = granted(transformer.kvPool({ blocks: 8, blockTokens: 16, place: 'host' }));
    const layers: number[] = [];
    const copy = (from: KvPool, to: KvPool, pairs: readonly number[]) =>
      new Promise<CopyResult>((resolve, reject) =>
        transformer.copyBlocks(
          from,
          to,
          Int32Array.from(pairs),
          { onLayer: (layer) => layers.push(layer) },
          (answer) => (answer.ok ? resolve(answer.value) : reject(new Error(answer.error.message))),
        ),
      );
    const out = await copy(pool, tier, [0, 5, 1, 6, 2, 7]);
    expect(out.bytes).toBe(3 * 2 * 2 * 2 * 16 * 64 * 2);
    await copy(tier, pool, [5, 30, 6, 31, 7, 32]);
    expect(layers).toEqual([0, 1, 0, 1]);
    const after = await run(instance, plan([{ slot: 0, start: 40, tokens: [1], blocks: [30, 31, 32] }]));
    expect(after.tokens).toEqual(before.tokens);
    await copy(pool, pool, [30, 10, 31, 11, 32, 12]);
    const again = await run(instance, plan([{ slot: 0, start: 40, tokens: [1], blocks: [10, 11, 12] }]));
    expect(again.tokens).toEqual(before.tokens);
    await transformer.close();
  });

  it('stamps passes on the process clock', async () => {
    const { transformer, instance } = await serving();
    const before = process.hrtime.bigint();
    const result = await run(
      instance,
      plan([{ slot: 0, start: 0, tokens: prompt, prefill: true, blocks: [0, 1, 2] }]),
    );
    const after = process.hrtime.bigint();
    const error = BigInt(Math.ceil(result.clockErrorNs));
    expect(result.startNs + error).toBeGreaterThanOrEqual(before);
    expect(result.endNs).toBeGreaterThan(result.startNs);
    expect(result.endNs - error).toBeLessThanOrEqual(after);
    await transformer.close();
  });

  it.each([
    ['a slot twice', [{ slot: 0 }, { slot: 0 }], 'Row 1 of the pass: slot 0 appears twice.'],
    ['too few blocks', [{ slot: 0, blocks: [0, 1] }], 'Row 0 of the pass: 2 blocks, 40 tokens need 3.'],
    ['a block outside', [{ slot: 0, blocks: [0, 1, 40] }], 'Row 0 of the pass: block 40, the pool has 40.'],
    ['a token outside', [{ slot: 0, tokens: [61] }], 'Input token 0 is 61, the vocabulary has 61.'],
    ['a position outside', [{ slot: 0, start: 250 }], 'positions 250 to 289, the longest context is 256.'],
  ])('refuses %s', async (_, rows, message) => {
    const { transformer, instance } = await serving();
    const full = rows.map((row) => ({ start: 0, tokens: prompt, prefill: true, blocks: [0, 1, 2], ...row }));
    await expect(run(instance, plan(full))).rejects.toThrow(message);
    // The instance goes on.
    await run(instance, plan([{ slot: 0, start: 0, tokens: prompt, prefill: true, blocks: [0, 1, 2] }]));
    await transformer.close();
  });

  it('says what is missing in a checkpoint, before a byte moves', async () => {
    const { answer } = await open(tiny, { kind: 'tensors', tensors: [] });
    expect(answer).toMatchObject({
      ok: false,
      error: { code: 'WEIGHTS', message: 'The tensor model.embed_tokens.weight is missing.' },
    });
  });

  it('says how much memory was asked for', async () => {
    const { answer } = await open(tiny, { kind: 'random', seed: 1 }, ['fail cuMemAlloc_v2 2']);
    expect(answer).toMatchObject({
      ok: false,
      error: {
        code: 'CUDA_ERROR_OUT_OF_MEMORY',
        message: expect.stringMatching(/needs \d+ bytes, \d+ of \d+ are free/),
      },
    });
  });

  it('answers every pass after the device is lost', async () => {
    const { transformer, instance, driver } = await serving();
    driver.script(['fail cuEventSynchronize 719']);
    const first = { slot: 0, start: 0, tokens: prompt, prefill: true, blocks: [0, 1, 2] };
    await expect(run(instance, plan([first]))).rejects.toThrow('CUDA_ERROR_LAUNCH_FAILED');
    driver.script(['devices 1']);
    await expect(run(instance, plan([first]))).rejects.toThrow('CUDA_ERROR_LAUNCH_FAILED');
    await transformer.close();
    await expect(run(instance, plan([first]))).rejects.toThrow('CLOSED');
  });

  it('reads weights of three types from files by offset', async () => {
    // The same values as random ones, as F32 in one file: the same logits.
    const { transformer, instance } = await serving();
    const asked = plan([{ slot: 0, start: 0, tokens: prompt, prefill: true, blocks: [0, 1, 2] }], {
      logits: 'sampled',
    });
    const random = await run(instance, asked);
    await transformer.close();
    const place = mkdtempSync(join(tmpdir(), 'dyno-weights-'));
    folders.push(place);
    const file = join(place, 'model.safetensors');
    const h = 64;
    const layer = (l: number): [string, number[]][] => {
      const prefix = `model.layers.${l}.`;
      return [
        [`${prefix}input_layernorm.weight`, [h]],
        [`${prefix}self_attn.q_proj.weight`, [256, h]],
        [`${prefix}self_attn.k_proj.weight`, [128, h]],
        [`${prefix}self_attn.v_proj.weight`, [128, h]],
        [`${prefix}self_attn.o_proj.weight`, [h, 256]],
        [`${prefix}post_attention_layernorm.weight`, [h]],
        [`${prefix}mlp.gate_proj.weight`, [96, h]],
        [`${prefix}mlp.up_proj.weight`, [96, h]],
        [`${prefix}mlp.down_proj.weight`, [h, 96]],
      ];
    };
    const shapes: [string, number[]][] = [
      ['lm_head.weight', [61, h]],
      ['model.embed_tokens.weight', [61, h]],
      ['model.norm.weight', [h]],
      ...layer(0),
      ...layer(1),
    ];
    let offset = 24;
    const parts: Uint8Array[] = [new Uint8Array(offset)];
    const tensors = shapes.map(([name, shape]) => {
      const count = shape.reduce((product, size) => product * size, 1);
      const { centre, scale } = weightDistribution(name);
      const key = weightKey(3, name);
      const values = Float32Array.from({ length: count }, (_, i) => randomWeight(key, i, centre, scale));
      parts.push(new Uint8Array(values.buffer));
      const tensor = { name, dtype: 'F32' as const, shape, file, offset, bytes: count * 4 };
      offset += count * 4;
      return tensor;
    });
    writeFileSync(file, Buffer.concat(parts));
    const second = await serving(tiny, { kind: 'tensors', tensors });
    const read = await run(second.instance, asked);
    expect(read.logits).toEqual(random.logits);
    await second.transformer.close();

    const short = await open(tiny, {
      kind: 'tensors',
      tensors: tensors.map((t) => (t.name === 'lm_head.weight' ? { ...t, offset: offset - 8 } : t)),
    });
    expect(short.answer).toMatchObject({
      ok: false,
      error: { code: 'WEIGHTS', message: expect.stringContaining('the file is truncated') },
    });
  });
});
