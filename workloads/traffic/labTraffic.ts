import { InputError } from '../run/inputError.ts';
import { stream } from '../run/random.ts';
import type { TrafficSpec } from '../run/spec.ts';
import { checkLengths, drawLength } from './lengths.ts';
import { maxGeneratedRequests } from './openTraffic.ts';
import type { Traffic } from './traffic.ts';
import { TrafficBuilder } from './trafficBuilder.ts';

export type LabSpec = Extract<TrafficSpec, { kind: 'lab' }>;

/** The lab's clock: 50 ms per tick. */
const tickNs = 50_000_000;
const burstProbability = 0.2;

/**
 * The published lab's own generator, kept as it is: in each tick of 50 ms a Poisson number of requests arrives, with
 * λ = arrivals_per_tick, or λ · burst_factor in one tick out of five. All requests of a tick arrive at the tick itself,
 * at one instant, and not spread over its 50 ms. Priorities are drawn from 0, 1, 2. No prefixes are known.
 */
export function labTraffic(spec: LabSpec, seed: number): Traffic {
  checkLengths('traffic.prompt', spec.prompt);
  checkLengths('traffic.output', spec.output);
  const expected = spec.arrivals_per_tick * spec.ticks * (0.8 + 0.2 * spec.burst_factor);
  if (expected > maxGeneratedRequests) {
    throw new InputError(
      `traffic: ${expected.toPrecision(3)} requests in ${spec.ticks} ticks, expected at most ${maxGeneratedRequests}`,
    );
  }
  const bursts = stream(seed, 'traffic.bursts');
  const arrivals = stream(seed, 'traffic.arrivals');
  const prompts = stream(seed, 'traffic.prompt');
  const outputs = stream(seed, 'traffic.output');
  const priorities = stream(seed, 'traffic.priority');
  const builder = new TrafficBuilder(
    `lab λ ${spec.arrivals_per_tick}/tick, burst ×${spec.burst_factor}, ${spec.ticks} ticks`,
    0,
  );
  for (let tick = 0; tick < spec.ticks; tick++) {
    const bursting = bursts.uniform() < burstProbability;
    const count = arrivals.poisson(spec.arrivals_per_tick * (bursting ? spec.burst_factor : 1));
    for (let i = 0; i < count; i++) {
      const prompt = drawLength(spec.prompt, prompts);
      const output = drawLength(spec.output, outputs);
      builder.request(tick * tickNs, prompt, output, priorities.integer(0, 2));
    }
  }
  if (builder.requests === 0) {
    throw new InputError(
      `traffic: no request arrives in ${spec.ticks} ticks at ${spec.arrivals_per_tick} per tick, expected more ticks or a higher rate`,
    );
  }
  return builder.traffic();
}
