import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findGpu } from '../hardware/gpus.ts';
import { findModel, models } from '../model/models.ts';
import { dataSheetCeilings } from './ceilings.ts';
import {
  decodeOverBatch,
  decodeOverContext,
  decodeTurningBatch,
  doublings,
  prefillOverPrompt,
  ridges,
  settingOf,
} from './curves.ts';
import { iterationPoints } from './iterations.ts';
import { assess } from './roof.ts';
import { countsOf, passCost, passPoint } from './serving.ts';

const known = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('expected a value');
  return value;
};
const h100 = known(findGpu('h100-sxm'));
const ceilings = dataSheetCeilings(h100);
const llama8b = known(findModel('llama-3.1-8b'));
const setting = settingOf(llama8b, ceilings);

describe('the batch at which decode turns compute-bound', () => {
  it('at a short context by the closed formula', () => {
    // w = 2·(6,979,321,856 + 525,336,576) + 100·524,288; q = 101·131,072 + 8,192; Q₀ = 15,009,316,864; ridge 989.4/3.352
    const knee = 989.4e12 / 3352e9;
    const w = 15_009_316_864 + 100 * 524_288;
    const q = 101 * 131_072 + 8192;
    const expected = Math.ceil((15_009_316_864 * knee) / (w - q * knee));
    const turning = known(decodeTurningBatch(setting, 100, h100.memoryBytes));
    expect(turning).toMatchObject({ turns: true, batch: expected });
    expect(expected).toBe(398);
    expect(turning.reason).toContain('295.2 FLOP/B');
  });

  it('never at a long context, with the limit that keeps it from it', () => {
    const turning = known(decodeTurningBatch(setting, 1000, h100.memoryBytes));
    expect(turning.turns).toBe(false);
    // w/q = 15,533,604,864 / (1001·131,072 + 8,192)
    expect(turning.turns ? 0 : turning.limitIntensity).toBeCloseTo(15_533_604_864 / 131_211_264, 3);
    expect(turning.reason).toContain('memory-bound at every batch');
  });

  it('says when memory holds fewer sequences than the turn needs', () => {
    const crowded = known(
      decodeTurningBatch(settingOf(known(findModel('llama-3.1-70b')), ceilings), 100, h100.memoryBytes),
    );
    expect(crowded.fits).toBe(0);
  });

  it('is the first batch whose bound is compute', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...models),
        fc.integer({ min: 1, max: 400 }),
        fc.constantFrom(1, 2, 4),
        (model, context, tp) => {
          const one = settingOf(model, ceilings, tp);
          const turning = known(decodeTurningBatch(one, context));
          const boundAt = (batch: number) =>
            known(assess(passPoint(model, { phase: 'decode', batch, context }, tp, one.format), ceilings))
              .bound.kind;
          if (turning.turns) {
            expect(boundAt(turning.batch)).toBe('compute');
            if (turning.batch > 1) expect(boundAt(turning.batch - 1)).toBe('memory');
          } else expect(boundAt(1 << 19)).toBe('memory');
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('curves', () => {
  it('decode goes up the memory roof with batch and stays under its ridge at a long context', () => {
    const curve = decodeOverBatch(setting, doublings(1, 512), 4096);
    expect(curve.map((p) => p.x)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
    expect(curve.every((p) => p.assessment.bound.kind === 'memory')).toBe(true);
    expect(curve.every((p, i) => i === 0 || p.tokensPerSec > (curve[i - 1]?.tokensPerSec ?? 0))).toBe(true);
    const byContext = decodeOverContext(setting, doublings(128, 32_768), 64);
    expect(byContext.every((p, i) => i === 0 || p.tokensPerSec < (byContext[i - 1]?.tokensPerSec ?? 0))).toBe(
      true,
    );
  });

  it('prefill crosses the ridge near 300 tokens', () => {
    const kinds = prefillOverPrompt(setting, [128, 256, 512, 2048]).map((p) => p.assessment.bound.kind);
    expect(kinds).toEqual(['memory', 'memory', 'compute', 'compute']);
  });

  it('ridges by level', () => {
    expect(ridges(ceilings, 'bf16').hbm).toBeCloseTo(295.2, 1);
    expect(ridges(ceilings, 'bf16').l1).toBeCloseTo(29.6, 1);
    expect(ridges(ceilings, 'bf16').l2).toBeUndefined();
  });
});

describe('points of a simulated run', () => {
  it('sums the passes of a row, with the context growing by a token per sequence and pass', () => {
    const [point] = iterationPoints(
      {
        rows: 1,
        instance: [3],
        startNs: [0],
        endNs: [30e6],
        passes: [3],
        prefillTokens: [0],
        decodeSequences: [2],
        contextTokens: [200],
      },
      () => ({ model: llama8b, tensorParallel: 1 }),
    );
    // passes at 200, 202 and 204 tokens of context
    const passes = [100, 101, 102].map((context) =>
      passCost(llama8b, countsOf({ phase: 'decode', batch: 2, context })),
    );
    expect(point?.work.bf16).toBe(passes.reduce((sum, p) => sum + p.work, 0));
    expect(point?.bytes.hbm).toBe(passes.reduce((sum, p) => sum + p.hbmBytes, 0));
    expect(point).toMatchObject({ id: 'instance:3:decode', source: 'simulated', timeNs: 30e6 });
  });

  it('keeps prefill, decode and mixed passes apart, and skips empty rows', () => {
    const points = iterationPoints(
      {
        rows: 4,
        instance: [0, 0, 0, 0],
        startNs: [0, 10, 20, 30],
        endNs: [10, 20, 30, 40],
        passes: [1, 1, 1, 1],
        prefillTokens: [512, 0, 512, 0],
        decodeSequences: [0, 4, 4, 0],
        contextTokens: [Number.NaN, 400, 400, 0],
      },
      () => ({ model: llama8b, tensorParallel: 2 }),
    );
    expect(points.map((p) => p.id)).toEqual(['instance:0:prefill', 'instance:0:decode', 'instance:0:mixed']);
    expect(points[0]?.notes.join()).toContain('attention of prompt tokens is left out');
  });
});
