import { describe, expect, test } from 'vitest';
import { simEngine } from '../engines/sim/engine.ts';
import type { RunSpec } from '../run/spec.ts';
import type { EventSink } from '../run/tables.ts';
import { closedTraffic } from '../traffic/closedTraffic.ts';
import { generate } from '../traffic/generate.ts';
import { findTarget } from './catalog.ts';

const nowhere: EventSink = {
  wants: [],
  batch: () => undefined,
  progress: () => undefined,
  log: () => undefined,
};

/** One instance at 1,000 prompt tokens and 100 decoded tokens per second, shared by what decodes. */
function specOf(traffic: RunSpec['traffic'], instances = 1): RunSpec {
  const target = findTarget('ch15:inference_monolithic');
  if (target === undefined) throw new Error('no target');
  const spec = target.spec({ variant: 'free', engine: 'sim', parameters: {}, seed: 0, iterations: 1 });
  const one = spec.cluster.instances[0];
  if (one === undefined) throw new Error('no instance');
  return {
    ...spec,
    traffic,
    cluster: {
      ...spec.cluster,
      scheduler: { max_batched_tokens: 8192, max_sequences: 256 },
      instances: Array.from({ length: instances }, (_, i) => ({
        ...one,
        name: `i${i}`,
        cost: {
          kind: 'rates',
          prefill_tokens_per_s: 1000,
          decode_tokens_per_s: 100,
          iteration_overhead_us: 0,
        },
      })),
    },
  };
}

const closed = (more: object): Extract<RunSpec['traffic'], { kind: 'closed' }> => ({
  kind: 'closed',
  clients: 1,
  requests: 400,
  think_s: 0,
  think: 'fixed',
  ramp_s: 0,
  prompt: { kind: 'fixed', value: 100 },
  output: { kind: 'fixed', value: 11 },
  ...more,
});

function run(spec: RunSpec) {
  const { traffic } = spec;
  if (traffic.kind === 'trace') throw new Error('generated');
  const simulated = simEngine.open(spec, () => generate(traffic, spec.seed), nowhere);
  while (!simulated.step(Number.POSITIVE_INFINITY, 1_000_000));
  return simulated.finish();
}

describe('closed loop', () => {
  test('requests are dealt out evenly; each waits for the one before it of its client', () => {
    const traffic = closedTraffic(closed({ clients: 3, requests: 7, ramp_s: 3 }), 1);
    expect(Array.from(traffic.session)).toEqual([0, 1, 2, 0, 1, 2, 0]);
    expect(Array.from(traffic.turns?.previous ?? [])).toEqual([-1, -1, -1, 0, 1, 2, 3]);
    expect(Array.from(traffic.arrivalNs.slice(0, 3))).toEqual([0, 1e9, 2e9]);
  });

  test('one client: 100 ms prompt, ten tokens at 10 ms, 50 ms of thinking: four requests per second', () => {
    const { metrics, window, overload } = run(specOf(closed({ think_s: 0.05 })));
    expect(metrics['ttft_ms']?.mean).toBeCloseTo(100, 6);
    expect(metrics['tpot_ms']?.mean).toBeCloseTo(10, 6);
    expect(window === undefined ? 0 : window.requests / (window.to_s - window.from_s)).toBeCloseTo(4, 1);
    expect(overload).toBeUndefined();
  });

  test('interactive response time law: clients = throughput × (E2E + think time)', () => {
    for (const clients of [4, 16]) {
      const { metrics, window } = run(
        specOf(closed({ clients, requests: 200 * clients, think_s: 1, think: 'exponential', ramp_s: 5 })),
      );
      if (window === undefined) throw new Error('a window');
      const rate = window.requests / (window.to_s - window.from_s);
      const e2e = (metrics['e2e_ms']?.mean ?? 0) / 1e3;
      expect(Math.abs((rate * (e2e + 1)) / clients - 1)).toBeLessThan(0.04);
    }
  });

  test('more clients than a server can take slow each other down; none is overload', () => {
    const summary = run(specOf(closed({ clients: 64, requests: 3200 })));
    expect(summary.overload).toBeUndefined();
    expect(summary.metrics['e2e_ms']?.mean ?? 0).toBeGreaterThan(5000);
  });

  test('fewer requests than clients are refused in one line', () => {
    expect(() => closedTraffic(closed({ clients: 8, requests: 3 }), 0)).toThrow(
      'traffic.requests: 3, expected at least one for each of the 8 clients',
    );
  });
});

test('a serving target offers it: clients, requests of each, think time', () => {
  const target = findTarget('ch17:prefill_decode_disagg');
  const spec = target?.spec({
    variant: 'baseline',
    engine: 'sim',
    parameters: { traffic: 'closed', clients: 8, requests_per_client: 5, think_s: 2 },
    seed: 0,
    iterations: 1,
  });
  expect(spec?.traffic).toMatchObject({ kind: 'closed', clients: 8, requests: 40, think_s: 2 });
});
