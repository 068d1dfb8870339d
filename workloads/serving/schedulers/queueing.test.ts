import { describe, expect, test } from 'vitest';
import { simReplicate } from '../../engines/sim/simReplicate.ts';
import { KeepingSink, tinySpec, tinyTraffic } from '../../engines/sim/tinyRun.ts';
import { serve } from '../../queueing/disciplines.ts';
import type { QueueSpec } from '../../queueing/queueSpec.ts';
import { Recorder } from '../../record/recorder.ts';
import { stream } from '../../run/random.ts';
import type { OrderSpec, RequestClassSpec } from '../../run/schedulerSpec.ts';
import type { RunSpec } from '../../run/spec.ts';
import type { Traffic } from '../../traffic/traffic.ts';

/**
 * Closed forms of queueing theory through the whole simulator: one sequence at a time, one output token, 1 µs per prompt
 * token, so that prompts are service times and the order of the waiting queue is the discipline.
 */
const meanUs = 1000;

/** Poisson arrivals whose gaps and sizes are scaled to exactly the load asked for: half of the variance goes. */
function poisson(n: number, rho: number, size: (u: ReturnType<typeof stream>) => number): Traffic {
  const sizes = stream(21, 'service');
  const gaps = stream(21, 'arrivals');
  const promptTokens = Int32Array.from({ length: n }, () => size(sizes));
  const arrivalNs = new Float64Array(n);
  let at = 0;
  for (let r = 0; r < n; r++) {
    at += gaps.exponential(1);
    arrivalNs[r] = at;
  }
  const work = 1000 * promptTokens.reduce((a, b) => a + b, 0);
  for (let r = 0; r < n; r++) arrivalNs[r] = Math.round(((arrivalNs[r] ?? 0) * work) / rho / at);
  const none = tinyTraffic([]);
  return {
    ...none,
    requests: n,
    arrivalNs,
    promptTokens,
    outputTokens: new Int32Array(n).fill(1),
    priority: new Uint8Array(n),
    session: new Int32Array(n),
    blockOffsets: new Int32Array(n + 1),
  };
}

/** Mean wait of the requests of a class, or of all, ms. */
function waits(traffic: Traffic, order: OrderSpec, classes?: readonly RequestClassSpec[]) {
  const base = tinySpec({
    instances: [{ prefill: 1e6, blocks: 1_000_000 }],
    sequences: 1,
    budget: 1_000_000,
    reuse: false,
  });
  const spec: RunSpec = {
    ...base,
    detail: { requests: 'none', decisions: 'none', iterations: 'none' },
    cluster: {
      ...base.cluster,
      scheduler: {
        ...base.cluster.scheduler,
        policy: {
          kind: 'chunked_prefill',
          order,
          preemption: { kind: 'recompute' },
          ...(classes === undefined ? {} : { classes: [...classes] }),
        },
      },
    },
  };
  const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
  while (!replicate.advance(Number.POSITIVE_INFINITY, 1_000_000));
  const { scheduledNs, finishNs } = replicate.requests;
  const classOf = replicate.scheduling?.classOf;
  const mean = (wanted?: number): number => {
    let sum = 0;
    let n = 0;
    for (let r = 0; r < traffic.requests; r++) {
      if (wanted !== undefined && classOf?.[r] !== wanted) continue;
      sum += (scheduledNs[r] ?? 0) - (traffic.arrivalNs[r] ?? 0);
      n++;
    }
    return sum / n / 1e6;
  };
  return { mean, finishNs, classOf };
}

const fcfs = { kind: 'fcfs' } as const;
const shortest = { kind: 'shortest_prompt', aging: 0 } as const;
/** Uniform on 1 .. 1999 µs: E[S] = 1 ms. */
const uniform = (u: ReturnType<typeof stream>): number => u.integer(1, 2 * meanUs - 1);

const uniformMeanSquare = (() => {
  let sum = 0;
  for (let k = 1; k < 2 * meanUs; k++) sum += k * k;
  return sum / (2 * meanUs - 1) / (meanUs * meanUs);
})();

/** Pollaczek and Khinchine, ms. */
const fcfsWait = (rho: number): number => (rho * uniformMeanSquare) / (2 * (1 - rho));

/** Shortest job first, non-preemptive, ms: Cobham's priorities with one class per size. */
function shortestWait(rho: number): number {
  const sizes = 2 * meanUs - 1;
  const residual = (rho * uniformMeanSquare) / 2;
  let before = 0;
  let sum = 0;
  for (let k = 1; k <= sizes; k++) {
    const including = before + (rho * k) / meanUs / sizes;
    sum += residual / ((1 - before) * (1 - including)) / sizes;
    before = including;
  }
  return sum;
}

describe('M/G/1 through the simulator', () => {
  test.each([
    [0.5, 0.01, 400_000],
    [0.8, 0.01, 2_000_000],
    [0.9, 0.03, 1_000_000],
  ])(
    'at ρ = %d mean waits of FCFS and shortest job are the closed forms to within %d',
    (rho, error, n) => {
      const traffic = poisson(n, rho, uniform);
      expect(Math.abs(waits(traffic, fcfs).mean() / fcfsWait(rho) - 1)).toBeLessThan(error);
      expect(Math.abs(waits(traffic, shortest).mean() / shortestWait(rho) - 1)).toBeLessThan(error);
    },
    120_000,
  );

  test('priority classes wait as Cobham says, each of them', () => {
    const classes = [
      { name: 'critical', share: 1, ttft_ms: 1 },
      { name: 'sensitive', share: 2, ttft_ms: 1 },
      { name: 'batch', share: 2, ttft_ms: 1 },
    ];
    const rho = 0.8;
    const { mean } = waits(poisson(2_000_000, rho, uniform), { kind: 'class_priority' }, classes);
    const residual = (rho * uniformMeanSquare) / 2;
    let before = 0;
    [0.2, 0.4, 0.4].forEach((share, c) => {
      const including = before + rho * share;
      const expected = residual / ((1 - before) * (1 - including));
      expect(Math.abs(mean(c) / expected - 1), classes[c]?.name).toBeLessThan(0.01);
      before = including;
    });
  }, 120_000);
});

describe('against the queueing bench, job by job', () => {
  const traffic = poisson(20_000, 0.9, uniform);
  const jobs = {
    count: traffic.requests,
    arrival: traffic.arrivalNs,
    size: Float64Array.from(traffic.promptTokens, (us) => us * 1000),
  };
  const spec = (discipline: QueueSpec['discipline']): QueueSpec => ({
    arrivals: { kind: 'poisson' },
    service: { kind: 'exp' },
    servers: 1,
    discipline,
    rho: 0.9,
    seed: 1,
    n: traffic.requests,
  });

  test.each([
    ['fcfs', fcfs],
    ['sjf', shortest],
  ] as const)('%s leaves at the same nanosecond', (discipline, order) => {
    const { finishNs } = waits(traffic, order);
    expect(finishNs).toEqual(serve(spec(discipline), jobs));
  });
});
