import { describe, expect, test } from 'vitest';
import { meanWait, singleServer } from '../engines/sim/queueStudy.ts';
import { runSpecOn, tinySpec, tinyTraffic } from '../engines/sim/tinyRun.ts';
import type { ServiceSpec } from '../run/costSpec.ts';
import { stream } from '../run/random.ts';
import { runSpec } from '../run/spec.ts';
import { IterationShape } from './costModel.ts';
import { LinearCost } from './linearCost.ts';
import { drawService, serviceMoments } from './stochasticCost.ts';

const services: readonly ServiceSpec[] = [
  { kind: 'deterministic', mean_ms: 1 },
  { kind: 'exponential', mean_ms: 1 },
  { kind: 'hyperexponential', short_share: 0.9, short_ms: 0.5, long_ms: 5.5 },
  { kind: 'lognormal', mean_ms: 1, cv: 1.5 },
  { kind: 'gamma', mean_ms: 1, cv: 0.5 },
];

test.each(services)('$kind: mean and mean square are those of the formula', (service) => {
  const random = stream(5, service.kind);
  const n = 200_000;
  let sum = 0;
  let square = 0;
  for (let i = 0; i < n; i++) {
    const ms = drawService(service, random);
    sum += ms;
    square += ms * ms;
  }
  const { mean, square: expected } = serviceMoments(service);
  expect(Math.abs(sum / n / mean - 1)).toBeLessThan(0.012);
  expect(Math.abs(square / n / expected - 1)).toBeLessThan(0.06);
});

describe('a server in the simulator', () => {
  test.each(services)(
    '$kind: waits are Lindley’s recursion over its own draws, request by request',
    (service) => {
      const { rows, serviceNs, arrivalNs } = singleServer(service, 0.9, 2000, 3);
      let free = 0;
      rows.forEach((row, r) => {
        const start = Math.max(free, arrivalNs[r] ?? 0);
        expect(row.scheduledNs).toBe(start);
        free = start + (serviceNs[r] ?? 0);
        expect(row.finishNs).toBe(free);
      });
    },
  );

  // 60,000 requests are a smoke test; scripts/bench-queueing.mjs runs 2,000,000 and meets 1 %.
  test.each(services)('$kind at ρ = 0.5: the wait of Pollaczek and Khinchine', (service) => {
    const { simulated, expected } = meanWait(service, 0.5, 60_000, 7);
    expect(Math.abs(simulated / expected - 1)).toBeLessThan(0.08);
  });
});

test('coefficients: constant + tokens + pairs + sequences + context, and nothing for what is not there', () => {
  const cost = new LinearCost({
    kind: 'linear',
    base_us: 100,
    prefill_us_per_token: 2,
    prefill_us_per_pair: 0.5,
    decode_us_per_sequence: 10,
    decode_us_per_context_token: 0.01,
  });
  const shape = new IterationShape();
  shape.decodeSequences = 3;
  shape.decodeContextTokens = 5000;
  expect(cost.iterationNs(shape)).toBe(180_000);
  shape.prefillTokens = 4;
  shape.prefillPairs = 10;
  expect(cost.iterationNs(shape)).toBe(193_000);
  const line = { baseNs: 0, perContextTokenNs: 0 };
  expect(cost.decodeLine(3, line)).toBe(true);
  expect(line.baseNs + line.perContextTokenNs * 5000).toBe(180_000);
});

test('M/M/4: an instance of four sequences with constant passes is four servers behind one queue (Erlang C)', () => {
  const servers = 4;
  const rho = 0.7;
  const arrivals = stream(21, 'arrivals');
  const lengths = stream(21, 'lengths');
  // A pass of 1 ms per token: answers of 200 tokens in the mean are services of 200 ms.
  let at = 0;
  const traffic = tinyTraffic(
    Array.from({ length: 40_000 }, () => {
      at += arrivals.exponential(200 / (servers * rho));
      return { at, prompt: 1, output: 1 + Math.round(lengths.exponential(200)) };
    }),
  );
  const tiny = tinySpec({ sequences: servers, reuse: false });
  const cost = {
    kind: 'linear',
    base_us: 1000,
    prefill_us_per_token: 0,
    decode_us_per_sequence: 0,
    decode_us_per_context_token: 0,
  };
  const spec = runSpec.parse({
    ...tiny,
    cluster: {
      ...tiny.cluster,
      instances: [{ name: 'i0', pool: 'mixed', serves: 'modelled', cost, kv_blocks: 1_000_000 }],
    },
    detail: { requests: 'none', decisions: 'none', iterations: 'none' },
  });
  const load = servers * rho;
  let blocked = 1;
  for (let k = 1; k <= servers; k++) blocked = (load * blocked) / (k + load * blocked);
  const waits = blocked / (1 - rho * (1 - blocked));
  const expected = (waits * 200) / (servers * (1 - rho));
  const { summary } = runSpecOn(spec, traffic);
  expect(Math.abs((summary.metrics.queue_ms?.mean ?? 0) / expected - 1)).toBeLessThan(0.06);
});
