import { describe, expect, test } from 'vitest';
import { modelFromConfig } from '../../model/config.ts';
import { declareModel } from '../../model/models.ts';
import type { HostTime } from '../../run/engine.ts';
import { evictionPolicy } from '../../run/kvSpec.ts';
import { type RunSpec, runSpec } from '../../run/spec.ts';
import { PromptTokens } from '../../traffic/promptTokens.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { TrafficBuilder } from '../../traffic/trafficBuilder.ts';
import type { Ns } from '../../units.ts';
import { KeepingSink, tinySpec } from '../sim/tinyRun.ts';
import { cudaEngine } from './engine.ts';
import { ReferenceTransformer } from './reference/forward.ts';
import { ReferenceDevice } from './reference/referenceDevice.ts';
import { randomReferenceWeights } from './reference/referenceWeights.ts';
import { answerHash } from './sequences.ts';
import { transformerShape } from './transformerShape.ts';

const config = {
  model_type: 'qwen3',
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 8,
  vocab_size: 64,
  max_position_embeddings: 512,
  tie_word_embeddings: true,
};
declareModel({ ...modelFromConfig(config, 'Nano/config.json'), config });
const shape = transformerShape(config, 'Nano');
const weights = randomReferenceWeights(shape, 3);

/** Host time that goes on only when something waits for it. */
class TestTime implements HostTime {
  private clock: Ns = 0;
  private readonly alarms: { at: Ns; call: () => void }[] = [];
  now = (): Ns => this.clock;
  wake(): void {}
  monotonic = (): bigint => BigInt(Math.round(this.clock)) + 1_000_000n;
  later = (ns: Ns, call: () => void): void => {
    this.alarms.push({ at: this.clock + ns, call });
    this.alarms.sort((a, b) => a.at - b.at);
  };
  sleep(at: Ns): Promise<void> {
    const [first] = this.alarms;
    if (first !== undefined && first.at <= at) {
      this.alarms.shift();
      this.clock = Math.max(this.clock, first.at);
      first.call();
    } else this.clock = Math.max(this.clock, at);
    return Promise.resolve();
  }
}

interface Request {
  readonly atMs: number;
  readonly blocks?: readonly number[];
  readonly prompt: number;
  readonly output: number;
}

function trafficOf(requests: readonly Request[]): Traffic {
  const builder = new TrafficBuilder('test', 16);
  for (const { atMs, blocks = [], prompt, output } of requests) {
    for (const id of blocks) builder.block(id);
    builder.request(atMs * 1e6, prompt, output);
  }
  return builder.traffic();
}

/** A spec for instances on one device; blocks of 16 tokens. */
function specOf(
  pools: readonly ('mixed' | 'prefill' | 'decode')[],
  blocks: number,
  more: object = {},
): RunSpec {
  const base = tinySpec();
  return runSpec.parse({
    ...base,
    engine: 'cuda',
    cluster: {
      ...base.cluster,
      model: 'file:Nano',
      instances: pools.map((pool, i) => ({
        name: `gpu-${i}`,
        pool,
        serves: 'gpu',
        device: 0,
        weights: { kind: 'random', seed: 3 },
        kv_blocks: blocks,
      })),
      scheduler: { max_batched_tokens: 32, max_sequences: 4 },
      kv: { block_tokens: 16, prefix_reuse: true },
    },
    ...more,
  });
}

async function serve(
  spec: RunSpec,
  traffic: Traffic,
  change: (device: ReferenceDevice) => void = () => undefined,
) {
  const time = new TestTime();
  const device = new ReferenceDevice(shape, weights, time);
  change(device);
  const sink = new KeepingSink();
  const run = await cudaEngine({
    load: () => Promise.resolve({ model: device, shape, card: 'reference' }),
    monotonic: time.monotonic,
    refusal: (error) => new Error(`${error.code}: ${error.message}`),
  }).open(spec, () => traffic, sink, time);
  while (!(await run.step(Number.POSITIVE_INFINITY, 1000)));
  const summary = await run.finish();
  const rows = sink
    .table('requests')
    .map((row) => ({
      request: Number(row['request']),
      hash: Number(row['answer_hash']),
      cached: Number(row['cached_tokens']),
      preemptions: Number(row['preemptions']),
      decode: Number(row['decode_instance']),
    }))
    .sort((a, b) => a.request - b.request);
  const kvEvents = sink
    .table('kv')
    .map((row) => ({ event: String(row['kind']), ns: Number(row['duration_ns']) }));
  return { summary, rows, device, kvEvents };
}

/** The hashes of the answers that the reference gives to each prompt alone. */
function expected(traffic: Traffic, seed: number): number[] {
  const prompts = new PromptTokens(traffic, shape.vocab, seed);
  const transformer = new ReferenceTransformer(shape, weights);
  return Array.from({ length: traffic.requests }, (_, r) =>
    answerHash(transformer.greedy([...prompts.of(r)], traffic.outputTokens[r] ?? 0)),
  );
}

const mixedLoad = trafficOf([
  { atMs: 0, blocks: [1, 2, 3], prompt: 45, output: 9 },
  { atMs: 0.2, blocks: [1, 2, 4], prompt: 48, output: 4 },
  { atMs: 2, prompt: 20, output: 12 },
  { atMs: 30, blocks: [1, 2, 3], prompt: 45, output: 5 },
  { atMs: 31, blocks: [9], prompt: 3, output: 1 },
]);

describe('answers are those of each prompt alone', () => {
  test('chunked prompts beside decoding, shared prefixes', async () => {
    const spec = specOf(['mixed'], 64);
    const { rows, device, summary } = await serve(spec, mixedLoad);
    expect(rows.map(({ hash }) => hash)).toEqual(expected(mixedLoad, spec.seed));
    // Two whole blocks of 16; the third is partly filled and never shared.
    expect(rows[3]?.cached).toBe(32);
    expect(summary.requests.completed).toBe(5);
    expect(summary.simulated).toBe(false);
    expect(device.open).toBe(0);
  });

  test('prompts on one instance, decoding on another: blocks are copied', async () => {
    const spec = specOf(['prefill', 'decode'], 64);
    const { rows, device, summary } = await serve(spec, mixedLoad);
    expect(rows.map(({ hash }) => hash)).toEqual(expected(mixedLoad, spec.seed));
    // The request of one token ends with its prompt.
    expect(rows.map(({ decode }) => decode)).toEqual([1, 1, 1, 1, 0]);
    expect(summary.kv.transfers).toBe(4);
    expect(device.copied).toBeGreaterThan(3);
  });

  test('too few blocks: some are preempted and computed again', async () => {
    const spec = specOf(['mixed'], 7);
    const tight = trafficOf([
      { atMs: 0, prompt: 30, output: 40 },
      { atMs: 0, prompt: 30, output: 40 },
      { atMs: 0, prompt: 30, output: 40 },
    ]);
    const { rows } = await serve(spec, tight);
    expect(rows.reduce((sum, { preemptions }) => sum + preemptions, 0)).toBeGreaterThan(0);
    expect(rows.map(({ hash }) => hash)).toEqual(expected(tight, spec.seed));
  });

  test('too few blocks: some wait in host memory, and are not computed again', async () => {
    const preemption = { kind: 'swap', bandwidth_gb_per_s: 1, latency_us: 1, host_gb: 0.01 };
    const policy = { kind: 'chunked_prefill', order: { kind: 'fcfs' }, preemption };
    const tight = trafficOf([
      { atMs: 0, blocks: [1, 2], prompt: 32, output: 40 },
      { atMs: 0, blocks: [1, 3], prompt: 32, output: 40 },
      { atMs: 0, prompt: 30, output: 40 },
      { atMs: 5, prompt: 20, output: 30 },
    ]);
    const spec = specOf(['mixed'], 8);
    const swapping = runSpec.parse({
      ...spec,
      cluster: { ...spec.cluster, scheduler: { ...spec.cluster.scheduler, policy } },
    });
    const { rows, summary, device, kvEvents } = await serve(swapping, tight);
    expect(rows.map(({ hash }) => hash)).toEqual(expected(tight, spec.seed));
    const { swap } = summary.scheduling ?? {};
    expect(swap?.outs).toBeGreaterThan(1);
    expect(swap?.ins).toBe(swap?.outs);
    // Copies one after the other, 0.1 ms each on the reference device: what was measured, not what the spec's link would take.
    const swaps = kvEvents.filter(({ event }) => event.startsWith('swap'));
    expect(swaps).toHaveLength(2 * (swap?.outs ?? 0));
    for (const { ns } of swaps) expect(ns).toBeCloseTo(1e5, -2);
    expect(swap?.stall_ms).toBeGreaterThan(0.09);
    expect(device.open).toBe(0);
  });

  test.each(evictionPolicy.options)(
    'prefixes that %s evicts leave their places to others',
    async (eviction) => {
      const spec = specOf(['mixed'], 8);
      const many = trafficOf(
        Array.from({ length: 12 }, (_, i) => ({
          atMs: 15 * i,
          blocks: [2 * (i % 4), 2 * (i % 4) + 1],
          prompt: 40,
          output: 6,
        })),
      );
      const kv = { ...spec.cluster.kv, eviction };
      const { rows, summary } = await serve({ ...spec, cluster: { ...spec.cluster, kv } }, many);
      expect(summary.kv.evictions).toBeGreaterThan(0);
      expect(rows.map(({ hash }) => hash)).toEqual(expected(many, spec.seed));
    },
  );

  test('the gap of a token counts the time between passes, too', async () => {
    const { summary } = await serve(
      specOf(['mixed'], 64),
      trafficOf([{ atMs: 0, prompt: 20, output: 9 }]),
      (device) => {
        device.idleNs = 3e6;
      },
    );
    expect(summary.metrics.tpot_ms?.p50).toBeCloseTo(4, 3);
    expect(summary.metrics.itl_ms?.p50).toBeCloseTo(4, 1);
  });

  test('several replicates, each with an empty cache', async () => {
    const spec = { ...specOf(['mixed', 'mixed'], 64), iterations: 2 };
    const { rows, device } = await serve(spec, mixedLoad);
    expect(rows).toHaveLength(10);
    expect(device.open).toBe(0);
  });
});

describe('speculation by n-grams', () => {
  const technique = {
    kind: 'speculation',
    draft: { kind: 'lookup', overhead_us: 0 },
    length: 4,
    acceptance: { mean: 0.5 },
  };
  const speculating = (spec: RunSpec): RunSpec =>
    runSpec.parse({ ...spec, cluster: { ...spec.cluster, technique } });
  // Long answers of a tiny model run into circles, which the drafts find.
  const long = trafficOf([
    { atMs: 0, blocks: [1, 2, 3], prompt: 45, output: 90 },
    { atMs: 0.2, blocks: [1, 2, 4], prompt: 48, output: 61 },
    { atMs: 2, prompt: 20, output: 75 },
  ]);

  test('answers stay, in fewer passes; acceptance is what the device found', async () => {
    const spec = specOf(['mixed'], 64);
    const plain = await serve(spec, long);
    const fast = await serve(speculating(spec), long);
    expect(fast.rows.map(({ hash }) => hash)).toEqual(expected(long, spec.seed));
    const { technique: counts } = fast.summary;
    if (counts?.kind !== 'speculation') throw new Error('no counts');
    expect(counts.draft_acceptance).toBeGreaterThan(0.3);
    expect(counts.draft_acceptance).toBeLessThanOrEqual(1);
    expect(counts.tokens_per_round).toBeGreaterThan(1.3);
    expect(fast.device.passes).toBeLessThan(plain.device.passes / 1.3);
    expect(fast.device.open).toBe(0);
  });

  test('with pools of their own, and with too few blocks', async () => {
    const pools = speculating(specOf(['prefill', 'decode'], 64));
    const split = await serve(pools, long);
    expect(split.rows.map(({ hash }) => hash)).toEqual(expected(long, pools.seed));
    const tight = speculating(specOf(['mixed'], 12));
    const { rows } = await serve(tight, long);
    expect(rows.reduce((sum, { preemptions }) => sum + preemptions, 0)).toBeGreaterThan(0);
    expect(rows.map(({ hash }) => hash)).toEqual(expected(long, tight.seed));
  });

  test('more drafts than a pass has tokens are refused before it starts', async () => {
    const spec = speculating(specOf(['mixed'], 64));
    const scheduler = { max_batched_tokens: 19, max_sequences: 4 };
    await expect(async () =>
      serve({ ...spec, cluster: { ...spec.cluster, scheduler } }, long),
    ).rejects.toThrow('are 20 tokens, expected at most max_batched_tokens 19');
  });
});

describe('what cannot be served', () => {
  test('a device that refuses a pass ends the run and gets its memory back', async () => {
    let device: ReferenceDevice | undefined;
    await expect(
      serve(specOf(['mixed'], 64), mixedLoad, (one) => {
        device = one;
        one.failsAt = 2;
      }),
    ).rejects.toThrow('PLAN: the device refused');
    expect(device?.open).toBe(0);
  });

  test('KV that does not fit: one line, and what was taken is given back', async () => {
    let device: ReferenceDevice | undefined;
    await expect(
      serve(specOf(['mixed', 'mixed'], 64), mixedLoad, (one) => {
        device = one;
        one.blockLimit = 100;
      }),
    ).rejects.toThrow('CUDA_ERROR_OUT_OF_MEMORY: KV blocks of instance gpu-1: 64 blocks asked for, 36 free');
    expect(device?.open).toBe(0);
  });

  test.each<[string, object, Traffic, RegExp]>([
    [
      'longer than the model takes',
      {},
      trafficOf([{ atMs: 0, prompt: 500, output: 20 }]),
      /the model takes 512 together/,
    ],
    [
      'more blocks than there are',
      {},
      trafficOf([{ atMs: 0, prompt: 400, output: 20 }]),
      /needs 27 KV blocks .* has 16/,
    ],
  ])('%s', async (_, more, traffic, message) => {
    await expect(async () => serve(specOf(['mixed'], 16, more), traffic)).rejects.toThrow(message);
  });
});
