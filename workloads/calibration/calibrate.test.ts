import { expect, test } from 'vitest';
import { IterationShape } from '../cost/costModel.ts';
import { onCurve } from '../cost/measuredGrid.ts';
import { OperatorCost, padded } from '../cost/operatorCost.ts';
import type { OperatorTables } from '../cost/operatorTables.ts';
import { readOperatorTables } from '../cost/operatorTables.ts';
import { RatesCost } from '../cost/ratesCost.ts';
import { calibrateToTables } from './calibrate.ts';
import { closedLoop } from './closedLoop.ts';
import { missedPhases } from './fitCost.ts';
import { nelderMead } from './nelderMead.ts';

const files: Record<string, string> = {
  'op-attention.csv':
    'prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n0,0,1,16,1\n0,0,1,32,2\n0,0,3,16,5\n16,0,0,0,10\n32,0,0,0,30\n16,16,0,0,20\n32,32,0,0,90\n16,0,1,16,12\n',
  'op-dense.csv': 'layer,tokens,time_us\nqkv_proj,1,4\nqkv_proj,9,12\nlayernorm,1,1\nembedding,1,2\n',
  'op-per_sequence.csv': 'layer,sequences,time_us\nlm_head,1,7\n',
};

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

const read = (changed: Record<string, string> = {}): Promise<OperatorTables> =>
  readOperatorTables('t', (file) => bytes({ ...files, ...changed }[file] ?? ''));

test('the simplex finds the bottom of a bowl, and stays inside its bounds', () => {
  const bowl = ([x = 0, y = 0]: readonly number[]): number => (x - 0.3) * (x - 0.3) + 4 * (y - 2) * (y - 2);
  const free = nelderMead(
    bowl,
    [
      { low: 0, high: 1, start: 0.9 },
      { low: 0, high: 5, start: 4 },
    ],
    300,
  );
  expect(free.point[0]).toBeCloseTo(0.3, 2);
  expect(free.point[1]).toBeCloseTo(2, 2);
  const held = nelderMead(
    bowl,
    [
      { low: 0.5, high: 1, start: 0.9 },
      { low: 0, high: 5, start: 4 },
    ],
    300,
  );
  expect(held.point[0]).toBe(0.5);
});

test('between measured points times are on straight lines, beyond the last they go on, before the first they hold', async () => {
  const { dense, decode } = await read();
  const qkv = dense.get('qkv_proj') ?? { at: [], us: [] };
  expect([0, 1, 5, 9, 13].map((tokens) => onCurve(qkv, tokens))).toEqual([4, 4, 8, 12, 16]);
  expect(decode.at(1, 24)).toBe(1.5);
  expect(decode.at(2, 16)).toBe(3);
  expect(decode.at(1, 48)).toBe(3);
});

test('a pass is the sum of its operators: layers, twice the norm, the head once per sequence that gets a token', async () => {
  const cost = new OperatorCost(
    {
      kind: 'operators',
      path: 't',
      sha256: '',
      tensor_parallel: 1,
      iteration_overhead_us: 100,
      skew: 0,
      graph_tokens: 0,
    },
    { layers: 10, hidden: 8 },
    await read(),
  );
  const shape = new IterationShape();
  shape.decodeSequences = 1;
  shape.decodeContextTokens = 32;
  // 100 + 10 × (4 + 2 × 1 + 2) + 2 + 7 µs
  expect(cost.iterationNs(shape)).toBe(189_000);
});

test('small batches run as the next captured size', () => {
  expect([1, 2, 3, 5, 9, 248, 249, 500, 513].map((tokens) => padded(tokens, 512))).toEqual([
    1, 2, 4, 8, 16, 248, 256, 512, 513,
  ]);
});

test('a bad table is named with its line and what was expected', async () => {
  await expect(read({ 'op-dense.csv': 'layer,tokens\n' })).rejects.toThrow(
    't/op-dense.csv:1: header "layer,tokens", expected layer,tokens,time_us',
  );
  await expect(read({ 'op-dense.csv': 'layer,tokens,time_us\nqkv,1,-4\n' })).rejects.toThrow(
    't/op-dense.csv:2: time_us is "-4", expected a time in µs above 0',
  );
  await expect(read({ 'op-per_sequence.csv': '' })).rejects.toThrow('t/op-per_sequence.csv:1: an empty file');
});

test('calibration stays in its bounds, reports every phase on both halves, and is deterministic', async () => {
  const tables = await read();
  const one = calibrateToTables('rtx-4090', 'llama-3.1-8b', 1, tables, 'roofline', 40);
  expect(one).toEqual(calibrateToTables('rtx-4090', 'llama-3.1-8b', 1, tables, 'roofline', 40));
  if (one.cost.kind !== 'roofline') throw new Error('a roofline was asked for');
  expect(one.cost.compute_efficiency).toBeLessThanOrEqual(1);
  expect(one.heldOut.map(({ phase }) => phase)).toEqual(['prefill', 'decode', 'mixed']);
});

test('of a group the tables need the link, and the reference then has its all-reduces', async () => {
  const tables = await read();
  expect(() => calibrateToTables('rtx-4090', 'llama-3.1-8b', 2, tables, 'linear', 10)).toThrow(
    /needs --link-gb-per-s/,
  );
  // 64 all-reduces of 200 µs: a constant of each pass.
  const overheadUs = (latency_us: number): number => {
    const { cost } = calibrateToTables('rtx-4090', 'llama-3.1-8b', 2, tables, 'roofline', 60, {
      bandwidth_gb_per_s: 1e5,
      latency_us,
    });
    return cost.kind === 'roofline' ? cost.iteration_overhead_us : Number.NaN;
  };
  expect(overheadUs(200) - overheadUs(0)).toBeGreaterThan(5000);
});

test('a fit that misses what it was not fitted to is named with its figures', () => {
  const phase = (name: string, median: number) => ({ phase: name, points: 9, median, p90: 2 * median });
  const calibration = {
    cost: {
      kind: 'linear' as const,
      base_us: 1,
      prefill_us_per_token: 0,
      prefill_us_per_pair: 0,
      decode_us_per_sequence: 0,
      decode_us_per_context_token: 0,
    },
    fitted: [],
    heldOut: [phase('ttft', 3.36), phase('tpot', 0.02), phase('broken', Number.NaN)],
  };
  expect(missedPhases(calibration, 0.25).map((p) => p.phase)).toEqual(['ttft', 'broken']);
});

test('one client in a closed loop: 100 prompt tokens at 1,000/s, then 9 tokens at 10/s, again and again', () => {
  const loop = {
    cost: new RatesCost({
      kind: 'rates',
      prefill_tokens_per_s: 1000,
      decode_tokens_per_s: 10,
      iteration_overhead_us: 0,
    }),
    clients: 1,
    rounds: 3,
    promptTokens: 100,
    outputTokens: 10,
    kvBlocks: 100,
    maxBatchedTokens: 2048,
    maxSequences: 8,
    leastLength: 1,
    thinkNs: 0,
    plansAhead: true,
    statistic: 'mean' as const,
  };
  expect(closedLoop(loop)).toEqual({ ttft: 100, tpot: 100 });
});
