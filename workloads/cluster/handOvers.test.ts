import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type TinyCluster, type TinyRequest, tinyRun } from '../engines/sim/tinyRun.ts';
import type { KvTransferSpec } from '../run/handoffSpec.ts';

// 1 ms per prompt token, 100 ms per output token; 131,072 bytes of KV per token: 100 tokens take 131.072 ms at 0.1 GB/s.

const pools = [{ pool: 'prefill' }, { pool: 'decode' }] as const;
const over = (transfer: KvTransferSpec, linkGbPerS: number, more: TinyCluster = {}): TinyCluster => ({
  instances: pools,
  linkGbPerS,
  handoff: { transfer },
  ...more,
});
const prompt = (at: number, tokens = 100, output = 2): TinyRequest => ({ at, prompt: tokens, output });

describe('layer by layer', () => {
  const layers: KvTransferSpec = { kind: 'layerwise', layers: 4 };

  test('a fast link leaves the last layer and the latency after the prompt', () => {
    // 0        25        50        75       100
    // ├ layer 1 ┼ layer 2 ┼ layer 3 ┼ layer 4 ┤         13.1 ms in all: 3.3 ms a layer
    //           ├1┤       ├2┤       ├3┤       ├4┤+1
    const { requests, summary } = tinyRun(over(layers, 1, { linkLatencyUs: 1000 }), [prompt(0)]);
    expect(requests[0]).toMatchObject({ first: 100, decodeInstance: 1 });
    expect(requests[0]?.transfer).toBeCloseTo(3.2768 + 1, 5);
    expect(requests[0]?.finish).toBeCloseTo(100 + 4.2768 + 100, 5);
    expect(summary.kv).toMatchObject({ transfers: 1, transfer_bytes: 13107200 });
  });

  test('a slow link is busy from the first layer on', () => {
    // The first layer is there at 25; 131.072 ms later everything is.
    const { requests } = tinyRun(over(layers, 0.1), [prompt(0)]);
    expect(requests[0]?.transfer).toBeCloseTo(25 + 131.072 - 100, 5);
  });

  test('chunk by chunk: the second chunk finds the link busy with the first', () => {
    // chunks 0–50 and 50–100; the first is on the link 12.5–78.036, the second 78.036–143.572.
    const { requests } = tinyRun(over(layers, 0.1, { budget: 50, sequences: 8 }), [prompt(0)]);
    expect(requests[0]).toMatchObject({ first: 100 });
    expect(requests[0]?.transfer).toBeCloseTo(43.572, 5);
  });

  test('what the prefill instance had in its cache leaves at once', () => {
    // 96 tokens are cached from the first request, and at the decode instance too: 4 tokens travel.
    const ids = [0, 1, 2, 3, 4, 5, 6];
    const { requests, summary } = tinyRun(over(layers, 1), [
      { ...prompt(0), ids },
      { ...prompt(1000), ids: [0, 1, 2, 3, 4, 5, 7] },
    ]);
    expect(requests[1]).toMatchObject({ cached: 96, first: 1004 });
    expect(summary.kv.transfer_bytes).toBe((100 + 4) * 131072);
  });

  test('a prompt that ends its request gives the reserved blocks back', () => {
    // The decode instance has room for one: the second request finds it again.
    const instances = [{ pool: 'prefill' }, { pool: 'decode', blocks: 7 }] as const;
    const { requests, summary } = tinyRun(over(layers, 1, { instances }), [
      prompt(0, 100, 1),
      prompt(1000, 100, 2),
    ]);
    expect(requests[1]?.transfer).toBeCloseTo(3.2768, 5);
    // The bytes of the first went over the link for nothing, and are counted.
    expect(summary.kv).toMatchObject({ transfers: 1, transfer_bytes: 2 * 13107200 });
  });

  test('is never later than the whole prompt at its end, for a request alone', () => {
    fc.assert(
      fc.property(
        fc.record({
          tokens: fc.integer({ min: 1, max: 300 }),
          output: fc.integer({ min: 1, max: 5 }),
          budget: fc.constantFrom(8, 50, 8192),
          layerCount: fc.constantFrom(1, 3, 32),
          link: fc.constantFrom(0.01, 0.137, 1, 100),
          latency: fc.constantFrom(0, 700),
        }),
        ({ tokens, output, budget, layerCount, link, latency }) => {
          const finish = (transfer: KvTransferSpec) =>
            tinyRun(over(transfer, link, { budget, sequences: 8, linkLatencyUs: latency }), [
              prompt(0, tokens, output),
            ]).requests[0]?.finish ?? Number.NaN;
          const blocking = finish({ kind: 'blocking' });
          expect(finish({ kind: 'layerwise', layers: layerCount })).toBeLessThanOrEqual(blocking);
          expect(finish({ kind: 'per_request' })).toBe(blocking);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('blocking', () => {
  test('the engine waits for the link before its next pass', () => {
    // prefill  ├ A 0–100 ┤             ├ B 231–331 ┤
    // link               ├─ A 100–231 ─┤           ├─ B ─┤
    const run = (kind: 'blocking' | 'per_request') =>
      tinyRun(over({ kind }, 0.1, { budget: 100 }), [prompt(0), prompt(0)]).requests[1];
    expect(run('blocking')?.scheduled).toBeCloseTo(231.072, 5);
    expect(run('blocking')?.first).toBeCloseTo(331.072, 5);
    expect(run('per_request')).toMatchObject({ scheduled: 100, first: 200 });
  });
});

describe('batched', () => {
  const two: KvTransferSpec = { kind: 'batched', window_ms: 150, requests: 2 };

  test('the second prompt makes the batch full: one transfer, one latency', () => {
    const { requests, summary } = tinyRun(over(two, 1, { budget: 100, linkLatencyUs: 5000 }), [
      prompt(0),
      prompt(0),
    ]);
    // A ends at 100 and waits for B at 200; then 26.2144 ms for both, + 5 ms.
    expect(requests[0]?.transfer).toBeCloseTo(100 + 31.2144, 5);
    expect(requests[1]?.transfer).toBeCloseTo(31.2144, 5);
    expect(summary.kv).toMatchObject({ transfers: 1, transfer_bytes: 2 * 13107200 });
  });

  test('alone, it waits for the window', () => {
    const { requests } = tinyRun(over(two, 1), [prompt(0)]);
    expect(requests[0]?.transfer).toBeCloseTo(150 + 13.1072, 5);
  });
});

describe('conditional', () => {
  const conditional = { max_local_tokens: 40, max_prefill_queue: 1 };
  const run = (requests: readonly TinyRequest[]) =>
    tinyRun({ instances: pools, handoff: { transfer: { kind: 'per_request' }, conditional } }, requests);

  test('a short prompt is computed where it decodes, a long one in the prefill pool', () => {
    const { requests, summary, sink } = run([prompt(0, 40), prompt(500, 41)]);
    expect(requests.map((r) => [r.prefillInstance, r.decodeInstance])).toEqual([
      [1, 1],
      [0, 1],
    ]);
    expect(summary.kv.transfers).toBe(1);
    const chosen = sink.table('decisions').filter((row) => row['chosen'] === 1);
    expect(chosen.map((row) => [row['request'], row['stage'], row['instance']])).toEqual([
      [0, 'prefill', 1],
      [1, 'decode', 1],
      [1, 'prefill', 0],
    ]);
  });

  test('what counts is what the decode instance lacks', () => {
    // 64 tokens of which the first 48 are cached there.
    const { requests } = run([
      { at: 0, prompt: 48, output: 2, ids: [0, 1, 2] },
      { at: 2000, prompt: 64, output: 2, ids: [0, 1, 2, 3] },
    ]);
    expect(requests.map((r) => r.prefillInstance)).toEqual([0, 1]);
  });

  test('a queue before the prefill pool sends prompts to the decode instance', () => {
    const { requests } = run([prompt(0, 400), prompt(1, 400), prompt(2, 400)]);
    // The second one waits: one request per instance is the limit, so the third stays.
    expect(requests.map((r) => r.prefillInstance)).toEqual([0, 0, 1]);
  });
});

describe('a queue before the prefill pool', () => {
  test('who gives up at its head lets the next one start, and that one is handed over when it is done', () => {
    // i0 has 10 blocks: A keeps 7 while its 13 s transfer lasts, B needs 7 and waits, C needs 2 and waits behind B.
    // At 1.2 s B gives up: C is computed until 1.23 and asks where to decode.
    const { requests, sink, summary } = tinyRun(
      {
        instances: [{ pool: 'prefill', blocks: 10 }, { pool: 'decode' }],
        linkGbPerS: 0.001,
        admission: { policy: 'none', parameters: {}, tiers: [{ name: 'all', deadline_ms: 1000 }] },
      },
      [prompt(0), prompt(200), prompt(300, 30)],
    );
    expect(summary.requests).toMatchObject({ completed: 2, rejected: 1 });
    expect(requests[2]?.first).toBe(1230);
    const placed = sink.table('decisions').find((row) => row['request'] === 2 && row['stage'] === 'decode');
    expect(Number(placed?.['time_ns']) / 1e6).toBe(1230);
  });
});
