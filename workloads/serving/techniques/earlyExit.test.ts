import { describe, expect, test } from 'vitest';
import { runSpecOn, tinySpec, tinyTraffic } from '../../engines/sim/tinyRun.ts';
import { runSpec } from '../../run/spec.ts';
import type { EarlyExitSpec } from '../../run/techniqueSpec.ts';
import { Confidence } from './confidence.ts';

const quarters: EarlyExitSpec = {
  kind: 'early_exit',
  exits: [0.25, 0.5, 0.75],
  threshold: 0.9,
  saturation: { median: 0.75, spread: 0.8 },
  confidence: { check: 'classifier', softness: 0.05, noise: 1 },
  batching: 'drop',
  fills_kv: true,
};

function run(technique: Partial<EarlyExitSpec> | undefined, sequences: number, output = 200) {
  const tiny = tinySpec({ sequences: 512, reuse: false });
  const spec = runSpec.parse({
    ...tiny,
    cluster: {
      ...tiny.cluster,
      instances: [
        {
          name: 'i0',
          pool: 'mixed',
          cost: {
            kind: 'roofline',
            gpu: 'h100-sxm',
            tensor_parallel: 1,
            compute_efficiency: 0.6,
            memory_efficiency: 0.8,
            iteration_overhead_us: 500,
          },
          serves: 'modelled' as const,
          kv_blocks: 100_000,
        },
      ],
      ...(technique === undefined ? {} : { technique: { ...quarters, ...technique } }),
    },
  });
  const { summary } = runSpecOn(
    spec,
    tinyTraffic(Array.from({ length: sequences }, () => ({ at: 0, prompt: 100, output }))),
  );
  return { tpot: summary.metrics.tpot_ms?.mean ?? 0, ...summary.technique };
}

describe('confidence', () => {
  test('the default depth is LayerSkip’s mean: 23.45 of 32 layers', () => {
    const confidence = new Confidence(quarters, 1, 0);
    let sum = 0;
    for (let g = 0; g < 50_000; g++) sum += confidence.saturation(g % 100, g);
    expect(Math.abs(sum / 50_000 - 23.45 / 32)).toBeLessThan(0.01);
  });

  test('without noise and with a high threshold nobody leaves too soon', () => {
    const confidence = new Confidence(
      { ...quarters, confidence: { ...quarters.confidence, noise: 0 } },
      1,
      0,
    );
    for (let g = 0; g < 2000; g++) {
      const saturation = confidence.saturation(0, g);
      const depth = quarters.exits[confidence.exit(0, g, saturation)] ?? 1;
      expect(depth === 1 || depth >= saturation).toBe(true);
    }
  });

  test('a lower threshold leaves earlier and agrees less, token by token', () => {
    const rows = [0.95, 0.7, 0.4, 0.1].map((threshold) => run({ threshold }, 4));
    for (let i = 1; i < rows.length; i++) {
      expect(rows[i]?.token_depth).toBeLessThan(rows[i - 1]?.token_depth ?? 0);
      expect(rows[i]?.exit_agreement).toBeLessThan(rows[i - 1]?.exit_agreement ?? 0);
      expect(rows[i]?.tpot).toBeLessThan(rows[i - 1]?.tpot ?? 0);
    }
  });
});

describe('a batch', () => {
  const everyone = {
    saturation: { median: 0.2, spread: 0 },
    confidence: { ...quarters.confidence, noise: 0 },
  };

  test('where every token needs all layers, early exit changes nothing', () => {
    const never = { saturation: { median: 0.97, spread: 0 }, threshold: 0.99 };
    for (const batching of ['deepest', 'drop', 'rebatched'] as const) {
      expect(run({ ...never, batching }, 8).tpot / run(undefined, 8).tpot).toBeCloseTo(1, 3);
    }
  });

  test('one alone goes as deep as its token; where all agree, so does a batch', () => {
    // Saturation 0.2 and a margin of 0.05 × ln 9: 0.31, so the exit at 0.5.
    for (const sequences of [1, 32]) {
      const row = run({ ...everyone, batching: 'deepest' }, sequences);
      expect(row.token_depth).toBe(0.5);
      expect(row.pass_depth).toBe(0.5);
      expect(row.exit_agreement).toBe(1);
    }
  });

  test('it goes deeper than its tokens, the more the larger it is', () => {
    const depths = [1, 2, 4, 64].map((sequences) => run({}, sequences).pass_depth ?? 0);
    for (let i = 1; i < depths.length; i++) expect(depths[i]).toBeGreaterThan(depths[i - 1] ?? 1);
    expect(depths.at(-1)).toBeGreaterThan(0.99);
  });

  test('waiting ≥ leaving ≥ ideal rebatching; all but waiting beat the whole model', () => {
    for (const sequences of [2, 16, 256]) {
      const whole = run(undefined, sequences).tpot;
      const [deepest = 0, drop = 0, rebatched = 0] = (['deepest', 'drop', 'rebatched'] as const).map(
        (batching) => run({ batching, fills_kv: false }, sequences).tpot,
      );
      expect(deepest).toBeLessThanOrEqual(whole * 1.0001);
      expect(drop).toBeLessThanOrEqual(deepest);
      expect(rebatched).toBeLessThan(drop);
    }
  });

  test('lm_head at each exit eats the gain', () => {
    const check = (kind: 'softmax' | 'classifier') =>
      run({ confidence: { ...quarters.confidence, check: kind } }, 1).tpot;
    expect(check('classifier')).toBeLessThan(run(undefined, 1).tpot);
    expect(check('softmax')).toBeGreaterThan(run(undefined, 1).tpot);
  });
});
