import { expect, it } from 'vitest';
import { foldedRows, isChosen, specRows } from './specDifference.ts';

it('lays two specs side by side', () => {
  const baseline = { seed: 1, policy: { router: 'round_robin', weights: {} }, pools: ['mixed'] };
  const optimized = { seed: 1, policy: { router: 'score', weights: { gap: 0.5 } }, pools: ['mixed'] };
  expect(specRows(baseline, optimized)).toEqual([
    { path: 'seed', baseline: '1', optimized: '1', isEqual: true },
    { path: 'policy.router', baseline: 'round_robin', optimized: 'score', isEqual: false },
    { path: 'pools.0', baseline: 'mixed', optimized: 'mixed', isEqual: true },
    { path: 'policy.weights.gap', baseline: 'absent', optimized: '0.5', isEqual: false },
  ]);
});

it('rows that say the same of every instance become one; what was chosen is told from what follows', () => {
  const spec = (gpu: string) => ({
    parameters: { gpu },
    cluster: { instances: [{ cost: { gpu } }, { cost: { gpu } }, { cost: { gpu: 'l4' } }] },
  });
  const folded = foldedRows(specRows(spec('h100'), spec('h200')));
  expect(folded.map(({ path, rows }) => [path, rows])).toEqual([
    ['parameters.gpu', 1],
    ['cluster.instances.*.cost.gpu', 2],
    ['cluster.instances.2.cost.gpu', 1],
  ]);
  expect(folded.map(isChosen)).toEqual([true, false, false]);
});
