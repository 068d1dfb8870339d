import { expect, test } from 'vitest';
import { problemOfResult } from './hostResults.ts';

test('a result of another shape than its method promises is described', () => {
  expect(problemOfResult('captures.read', {})).toMatch(/^kind: /);
  expect(problemOfResult('captures.timeline', { blocks: [1, 2], names: [] })).toMatch(/^blocks: /);
  expect(problemOfResult('sweeps.read', { points: [], front: [] })).toMatch(/^info: /);
  expect(problemOfResult('runs.roofline', { title: 'a run', points: [{}] })).toMatch(/^points\.0\.point: /);
  expect(problemOfResult('machine.topology', undefined)).toMatch(/^it: /);
});

test('a result of the promised shape has no problem, and newer fields are let through', () => {
  expect(problemOfResult('queue.run', { points: [], more: 1 })).toBeUndefined();
  expect(problemOfResult('captures.timeline', { blocks: new Float64Array(5), names: ['k'] })).toBeUndefined();
});
