import { expect, it } from 'vitest';
import { findGpu } from '../../../workloads/hardware/gpus.ts';
import { dataSheetCeilings } from '../../../workloads/roofline/ceilings.ts';
import type { RooflinePoint } from '../../../workloads/roofline/point.ts';
import { assessed, extentOf, nearest, plotOf, roofsOf, sizeOf, timeShares } from './plot.ts';
import { explore, firstWhatIf, stepOf, valueAt, withGpu } from './whatIf.ts';

const gpu = findGpu('h100-sxm');
if (gpu === undefined) throw new Error('no H100');
const ceilings = dataSheetCeilings(gpu);
const kernel = (id: string, timeNs: number, hbm = 1e9): RooflinePoint => ({
  id,
  label: id,
  source: 'captured',
  work: { bf16: 1e11 },
  bytes: { hbm },
  timeNs,
  formula: [],
  notes: [],
});

it('a larger batch moves the decode point right and up, until it turns compute-bound', () => {
  const at = (batch: number) => explore({ ...firstWhatIf, batch, context: 128 }).decode?.assessment;
  const [small, large] = [at(1), at(64)];
  expect(large?.intensity.hbm).toBeGreaterThan(small?.intensity.hbm ?? Number.POSITIVE_INFINITY);
  expect(large?.attainable).toBeGreaterThan(small?.attainable ?? Number.POSITIVE_INFINITY);
  const { turning } = explore({ ...firstWhatIf, context: 128 });
  expect(turning?.turns).toBe(true);
  if (turning?.turns === true) expect(at(turning.batch)?.bound.kind).toBe('compute');
  expect(explore({ ...firstWhatIf, context: 131_072 }).turning?.turns).toBe(false);
});

it('a card without the format falls back to BF16', () => {
  expect(withGpu({ ...firstWhatIf, format: 'fp8' }, 'a100-80gb-sxm').format).toBe('bf16');
  expect(withGpu({ ...firstWhatIf, format: 'fp8' }, 'h200').format).toBe('fp8');
});

it('sliders walk powers of two', () => {
  for (const value of [1, 32, 4096]) expect(valueAt(stepOf(value))).toBe(value);
});

it('sizes points by their share of the time, per source', () => {
  const shares = timeShares([assessed(kernel('a', 300), ceilings), assessed(kernel('b', 100), ceilings)]);
  expect(shares.get('a')).toBe(0.75);
  expect(sizeOf(0.75)).toBeGreaterThan(sizeOf(0.25));
  expect(sizeOf(undefined)).toBe(12);
});

it('memory roofs end at the best compute roof, which begins at the best memory roof', () => {
  const roofs = roofsOf(ceilings, ['bf16']);
  const hbm = roofs.find(({ label }) => label === 'HBM');
  expect((hbm?.value ?? 0) * (hbm?.meets ?? 0)).toBeCloseTo(ceilings.compute.bf16?.value ?? 0, -3);
  expect(roofs.every(({ isMeasured }) => !isMeasured)).toBe(true);
});

it('keeps a point without HBM bytes off the plot, and finds the one under the pointer', () => {
  const odd: RooflinePoint = { ...kernel('l2 only', 1), bytes: { l2: 1 } };
  const plot = plotOf(
    [assessed(kernel('a', 1e6), ceilings), assessed(odd, ceilings)],
    [],
    roofsOf(ceilings, ['bf16']),
    'a',
  );
  expect(plot.points.map(({ id }) => id)).toEqual(['a']);
  const size = { width: 400, height: 200 };
  const [point] = plot.points;
  if (point === undefined) throw new Error('no point');
  const x = (Math.log(point.x / plot.x[0]) / Math.log(plot.x[1] / plot.x[0])) * size.width;
  const y = (1 - Math.log(point.y / plot.y[0]) / Math.log(plot.y[1] / plot.y[0])) * size.height;
  expect(nearest(plot, { x: x + 5, y }, size)?.id).toBe('a');
  expect(nearest(plot, { x: x + 50, y }, size)).toBeUndefined();
});

it('axes are whole decades', () => {
  expect(extentOf([3, 450], 1)).toEqual([1, 1000]);
  expect(extentOf([], 2)).toEqual([1, 100]);
});

it('joins a kernel’s levels: the same height at another intensity each, inside the axes', () => {
  const point: RooflinePoint = { ...kernel('a', 1e6), bytes: { hbm: 1e9, l2: 4e9, l1: 8e9 } };
  const plot = plotOf([assessed(point, ceilings)], [], roofsOf(ceilings, ['bf16']), 'a');
  // L2 has no roof in a data sheet, and its intensity is known all the same.
  expect(plot.points[0]?.levels.map(({ label, x }) => [label, x])).toEqual([
    ['L2', 25],
    ['L1 / shared', 12.5],
  ]);
  expect(plot.x[0]).toBeLessThanOrEqual(12.5);
});
