import { describe, expect, test } from 'vitest';
import { runSpecOn } from '../engines/sim/tinyRun.ts';
import type { ParameterValues } from '../run/parameter.ts';
import type { Summary } from '../run/summary.ts';
import { generate } from '../traffic/generate.ts';
import { findTarget } from './catalog.ts';

function run(id: string, variant: string, parameters: ParameterValues = {}): Summary {
  const target = findTarget(id);
  if (target === undefined) throw new Error(id);
  const spec = target.spec({ variant, engine: 'sim', parameters, seed: 0, iterations: 1 });
  if (spec.traffic.kind === 'trace') throw new Error('no file was given');
  const light = { requests: 'none', decisions: 'none', iterations: 'none' } as const;
  return runSpecOn({ ...spec, detail: light }, generate(spec.traffic, 0)).summary;
}

const share = (summary: Summary): number => (summary.good_requests ?? 0) / summary.requests.arrived;

describe('prefill and decode apart', () => {
  const id = 'ch17:prefill_decode_disagg';
  const short = { duration_s: 60 };

  test('two pools take prompts out from between tokens; the engine that waits for the link is later', () => {
    const one = run(id, 'baseline', short);
    const two = run(id, 'optimized', short);
    expect(two.metrics.itl_ms?.p99 ?? Number.NaN).toBeLessThan(0.2 * (one.metrics.itl_ms?.p99 ?? 0));
    expect(share(two)).toBeGreaterThan(share(one));
    const blocking = run(id, 'blocking_handoff', short);
    expect(blocking.metrics.ttft_ms?.p95 ?? 0).toBeGreaterThan(1.1 * (two.metrics.ttft_ms?.p95 ?? 0));
  });

  test('re-balancing mends a bad split, and leaves a good one alone', () => {
    const bad = { ...short, prefill_instances: 4 };
    const mended = run(id, 'rebalancing', bad);
    expect(mended.fleet?.role_changes).toBeGreaterThan(0);
    expect(mended.metrics.ttft_ms?.mean ?? Number.NaN).toBeLessThan(
      run(id, 'optimized', bad).metrics.ttft_ms?.mean ?? 0,
    );
    expect(run(id, 'rebalancing', short).fleet?.role_changes).toBe(0);
  });

  test('its published ids find it; a split that leaves none to decode is refused', () => {
    expect(findTarget('ch15:disaggregated_inference')?.id).toBe(id);
    expect(() => run(id, 'optimized', { prefill_instances: 8 })).toThrow('leave none to decode');
  });
});

describe('crashes and stragglers', () => {
  test('every request is answered, and a router that looks at the load loses less', () => {
    const short = { duration_s: 90, crash_at_s: 20, slow_at_s: 40, slow_for_s: 30, rate_rps: 30 };
    const blind = run('serving:faults', 'baseline', short);
    const aware = run('serving:faults', 'optimized', short);
    for (const summary of [blind, aware]) {
      expect(summary.requests).toMatchObject({ completed: summary.requests.arrived, rejected: 0 });
      expect(summary.fleet?.crashes).toBe(1);
    }
    expect(blind.fleet?.bounces).toBeGreaterThan(0);
    expect(aware.metrics.ttft_ms?.p99 ?? Number.NaN).toBeLessThan(blind.metrics.ttft_ms?.p99 ?? 0);
    expect(run('serving:faults', 'healthy', short).fleet).toBeUndefined();
  });
});

describe('autoscaling', () => {
  test('pays for less than the static fleet', () => {
    const small = { requests: 8000, speedup: 12, startup_s: 10, cooldown_s: 20 };
    const hours = (variant: string) => run('serving:autoscaling', variant, small).fleet?.gpu_hours ?? 0;
    const peak = hours('baseline');
    expect(hours('optimized')).toBeLessThan(0.9 * peak);
    expect(hours('load_based')).toBeLessThan(0.9 * peak);
  });
});
