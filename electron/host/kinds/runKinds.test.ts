import { expect, test } from 'vitest';
import { kernelTargets } from '../../../workloads/catalog/kernelTargets.ts';
import { runKindId } from '../../contract/runKind.ts';
import { matchPair, requireServing } from '../../shared/kinds/runKind.ts';
import { runKinds, schemaOf, withKind } from '../../shared/kinds/runKinds.ts';
import { testSpec } from '../testing/testSpec.ts';

const served = testSpec();
const measured = () => {
  const [target] = kernelTargets;
  if (target === undefined) throw new Error('no kernel target');
  const parameters = Object.fromEntries(target.parameters.map((each) => [each.id, each.default]));
  return target.spec({ variants: ['baseline'], parameters, seed: 3, iterations: 7, device: 0 });
};

test('every kind of the contract is in the registry, once', () => {
  expect(runKinds.map(({ id }) => id).sort()).toEqual([...runKindId.options].sort());
});

test('a spec is answered by its own kind, and its schema reads it back', () => {
  for (const [spec, id] of [[served, 'serving'] as const, [measured(), 'kernels'] as const]) {
    expect(withKind(spec, (kind) => kind.id)).toBe(id);
    expect(schemaOf(JSON.parse(JSON.stringify(spec))).safeParse(spec).success).toBe(true);
  }
});

test('the words of a run name its target, its seed and how often it is measured', () => {
  const words = withKind(measured(), (kind, own) => kind.runWords(own));
  expect(words.slice(0, 2)).toEqual(['bench', measured().target]);
  expect(words.join(' ')).toContain('--seed 3 --iterations 7');
  expect(withKind(served, (kind, own) => kind.runWords(own)).slice(0, 2)).toEqual(['run', served.target]);
});

test('two kinds are no pair; a run of the wrong kind is named with what was expected', () => {
  const answers = { serving: () => 'serving', kernels: () => 'kernels' };
  expect(matchPair(served, measured(), answers)).toBeUndefined();
  expect(matchPair(measured(), measured(), answers)).toBe('kernels');
  expect(() => requireServing(measured(), '--run x')).toThrow(
    '--run x: it measured kernels, expected a run that served requests',
  );
});

test('a summary of another kind than the run is damaged', () => {
  expect(() => withKind(served, (kind) => kind.headline({ kind: 'kernel' }))).toThrow(/damaged: kind/);
  expect(() => withKind(measured(), (kind) => kind.headline({ metrics: {} }))).toThrow(/damaged: kind/);
  expect(withKind(served, (kind) => kind.headline({ traffic: { requests: 12 } }))).toEqual({
    requests: 12,
    headline: {},
  });
});
