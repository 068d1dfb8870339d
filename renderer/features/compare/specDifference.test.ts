import { expect, it } from 'vitest';
import { specRows } from './specDifference.ts';

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
