import { describe, expect, test } from 'vitest';
import { runSpecOn, tinySpec, tinyTraffic } from '../engines/sim/tinyRun.ts';
import { findModel } from '../model/models.ts';
import { runSpec } from '../run/spec.ts';
import { calibrateToPasses, type MeasuredPasses } from './calibratePasses.ts';
import { leastSquares } from './leastSquares.ts';

const model = findModel('llama-3.1-8b');
if (model === undefined) throw new Error('llama-3.1-8b');
const of = { gpu: 'h100-sxm', tensorParallel: 1, model };

/** Passes of a run whose truth is known: single prompts of 64 to 2,000 tokens, up to a dozen sequences that decode. */
function passesOf(cost: object): MeasuredPasses[] {
  const tiny = tinySpec({ reuse: false });
  const spec = runSpec.parse({
    ...tiny,
    cluster: {
      ...tiny.cluster,
      instances: [{ name: 'i0', pool: 'mixed', serves: 'modelled', cost, kv_blocks: 100_000 }],
    },
  });
  const traffic = tinyTraffic(
    Array.from({ length: 60 }, (_, i) => ({
      at: 60 * i,
      prompt: 64 + ((i * 337) % 1900),
      output: 20 + ((i * 53) % 90),
    })),
  );
  return runSpecOn(spec, traffic)
    .sink.table('iterations')
    .map((row) => ({
      passes: Number(row['passes']),
      ns: Number(row['end_ns']) - Number(row['start_ns']),
      prefillTokens: Number(row['prefill_tokens']),
      decodeSequences: Number(row['decode_sequences']),
      contextTokens: Number(row['context_tokens']),
    }));
}

describe('a run whose truth is known', () => {
  test('the roofline’s efficiencies come back, and the held-out rows agree', () => {
    const rows = passesOf({
      kind: 'roofline',
      gpu: 'h100-sxm',
      tensor_parallel: 1,
      compute_efficiency: 0.52,
      memory_efficiency: 0.81,
      iteration_overhead_us: 700,
    });
    const { cost, heldOut } = calibrateToPasses('roofline', of, rows);
    if (cost.kind !== 'roofline') throw new Error('a roofline was asked for');
    expect(cost.compute_efficiency).toBeCloseTo(0.52, 1);
    expect(cost.memory_efficiency).toBeCloseTo(0.81, 1);
    for (const phase of heldOut) expect(phase.median).toBeLessThan(0.02);
    expect(heldOut.map(({ phase }) => phase).sort()).toEqual(['decode', 'mixed']);
  });

  test('coefficients come back', () => {
    const truth = {
      kind: 'linear',
      base_us: 4000,
      prefill_us_per_token: 25,
      prefill_us_per_pair: 0,
      decode_us_per_sequence: 40,
      decode_us_per_context_token: 0.05,
    } as const;
    const { cost, heldOut } = calibrateToPasses('linear', of, passesOf(truth));
    if (cost.kind !== 'linear') throw new Error('coefficients were asked for');
    expect(cost.base_us / truth.base_us).toBeCloseTo(1, 2);
    expect(cost.prefill_us_per_token / truth.prefill_us_per_token).toBeCloseTo(1, 2);
    for (const phase of heldOut) expect(phase.p90).toBeLessThan(0.01);
  });

  test('a straight line through a roofline says how far off it is', () => {
    const rows = passesOf({
      kind: 'roofline',
      gpu: 'h100-sxm',
      tensor_parallel: 1,
      compute_efficiency: 0.6,
      memory_efficiency: 0.8,
      iteration_overhead_us: 500,
    });
    const { heldOut } = calibrateToPasses('linear', of, rows);
    expect(heldOut.find(({ phase }) => phase === 'decode')?.median).toBeLessThan(0.02);
    // Short prompts beside decoding are free until the tensor cores are busy: no straight line bends there.
    expect(heldOut.find(({ phase }) => phase === 'mixed')?.p90).toBeGreaterThan(0.03);
  });
});

test('least squares: exact where it can be, never below 0, and calm about a term that is always 0', () => {
  const rows = [1, 2, 3, 4, 5].map((x) => [1, x, 0]);
  expect(leastSquares(rows, [3, 5, 7, 9, 11]).map((x) => Math.round(x * 1e6) / 1e6)).toEqual([1, 2, 0]);
  for (const x of leastSquares(rows, [11, 9, 7, 5, 3])) expect(x).toBeGreaterThanOrEqual(0);
});

test('a run of a few passes is refused', () => {
  expect(() =>
    calibrateToPasses('linear', of, [
      { passes: 1, ns: 1000, prefillTokens: 1, decodeSequences: 0, contextTokens: 0 },
    ]),
  ).toThrow('1 rows of passes with work in them, expected at least 20');
});
