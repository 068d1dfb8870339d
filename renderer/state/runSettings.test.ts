import { expect, test } from 'vitest';
import { defaultTarget } from './catalogue.ts';
import { specsOf } from './runForm.ts';
import { valuesOf } from './runSettings.ts';

const target = defaultTarget();
const spec = {
  target: target.id,
  variant: 'policy',
  engine: 'sim' as const,
  parameters: { requests: 600, router: 'llm_d', gone: 3 },
  seed: 7,
  iterations: 2,
};

test('a run’s settings make the same run again', () => {
  const values = valuesOf(target, spec);
  expect(values).toMatchObject({ engine: 'sim', seed: 7, iterations: 2, compared: 'policy', trace: null });
  expect(values.parameters).toMatchObject({ requests: 600, router: 'llm_d' });
  expect(values.parameters).not.toHaveProperty('gone');
  const [again] = specsOf(target, 'policy', values);
  expect(again).toMatchObject({ variant: 'policy', seed: 7, iterations: 2, policy: { router: 'llm_d' } });
});

test('of a baseline the usual variant is compared; a trace stays', () => {
  const traffic = { kind: 'trace', path: '/t.jsonl', format: 'mooncake', speedup: 2 } as const;
  const values = valuesOf(target, { ...spec, variant: 'baseline', traffic });
  expect(values.compared).toBe('optimized');
  expect(values.trace).toEqual({ path: '/t.jsonl', format: 'mooncake', speedup: 2 });
});
