import { describe, expect, test } from 'vitest';
import type { ServiceSpec } from '../harness/costSpec.ts';
import { stream } from '../harness/random.ts';
import { IterationShape } from './costModel.ts';
import { LinearCost } from './linearCost.ts';
import { meanWait, singleServer } from './queueStudy.ts';
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
