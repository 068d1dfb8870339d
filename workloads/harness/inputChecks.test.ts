import { describe, expect, it } from 'vitest';
import { findTarget } from '../catalog/catalog.ts';
import { type RunSpec, runSpec, type TrafficSpec } from '../run/spec.ts';
import { judgedInputCheck, plannedInputChecks } from './inputChecks.ts';

const base = findTarget('serving:scheduling')?.spec({
  ...{ variant: 'optimized', engine: 'sim', parameters: {}, seed: 7, iterations: 1 },
});
const specWith = (traffic: TrafficSpec): RunSpec => runSpec.parse({ ...base, traffic });
const fixed = { kind: 'fixed', value: 64 } as const;
const log = { kind: 'lognormal', median: 1000, sigma: 1, min: 1, max: 32_768 } as const;

const open: TrafficSpec = {
  ...{ kind: 'open', rate_rps: 1, cv: 1, duration_s: 10, prompt: log, output: fixed },
  ...{ prefix_share: 0, block_tokens: 16 },
};
const closed: TrafficSpec = {
  ...{ kind: 'closed', clients: 2, requests: 8, think_s: 0, think: 'fixed', ramp_s: 0 },
  ...{ prompt: fixed, output: fixed },
};
const trace: TrafficSpec = { kind: 'trace', path: 'a.jsonl', format: 'mooncake', speedup: 2 };

describe('input checks of a spec', () => {
  it.each([
    ['open', open, ['repeat', 'fresh_seed', 'jitter']],
    ['closed', closed, ['repeat', 'fresh_seed', 'jitter']],
    ['trace', trace, ['repeat', 'jitter']],
  ] as const)('of %s traffic are runs of the same schema that differ in one thing', (_kind, traffic, ids) => {
    const spec = specWith(traffic);
    const planned = plannedInputChecks(spec);
    expect(planned.map(({ check }) => check)).toEqual(ids);
    for (const { check, spec: made } of planned) {
      expect(runSpec.parse(made)).toEqual(made);
      expect(made.seed !== spec.seed).toBe(check === 'fresh_seed');
      expect(JSON.stringify(made.traffic) !== JSON.stringify(spec.traffic)).toBe(check === 'jitter');
    }
  });

  it('a short prompt becomes longer by a token at least', () => {
    const jitter = plannedInputChecks(specWith(closed)).at(-1)?.spec.traffic;
    expect(jitter).toMatchObject({ prompt: { value: 65 } });
  });
});

describe('a verdict', () => {
  const figures = (p95: number) => new Map([['ttft_ms.p95', p95], ...[['completed', 3] as const]]);
  it.each([
    ['repeat', 1, 'passed'],
    ['repeat', 2, 'failed'],
    ['fresh_seed', 1, 'failed'],
    ['fresh_seed', 2, 'passed'],
    ['jitter', 1, 'failed'],
    ['jitter', 2, 'passed'],
  ] as const)('%s with a figure that goes from 1 to %d: %s', (check, p95, status) => {
    const found = judgedInputCheck('baseline', check, figures(1), figures(p95));
    expect(found).toMatchObject({ variant: 'baseline', check, status });
  });

  it('a figure that only one run has is a difference', () => {
    const found = judgedInputCheck('baseline', 'repeat', figures(1), new Map([['completed', 3]]));
    expect(found.detail).toBe('1 of 2 figures differ, ttft_ms.p95 first');
  });
});
