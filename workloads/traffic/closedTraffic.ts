import { InputError } from '../run/inputError.ts';
import { stream } from '../run/random.ts';
import type { TrafficSpec } from '../run/spec.ts';
import { checkLengths, describeLengths, drawLength } from './lengths.ts';
import type { Traffic } from './traffic.ts';
import { TrafficBuilder } from './trafficBuilder.ts';

export type ClosedSpec = Extract<TrafficSpec, { kind: 'closed' }>;

/**
 * A closed loop: so many clients, each of which sends its next request when the last one was answered and it has thought. The rate follows
 * from the serving (interactive response time law: requests/s = clients ÷ (E2E + think time)), so a slow system is never overloaded: it is
 * asked less often. Clients start one after the other over `ramp_s`; requests are dealt out evenly, and each client's lengths and think
 * times are drawn in its own order, so that both variants send the same ones.
 *
 *     client 0   |request|-think-|request|-think-| …
 *     client 1     |request|-think-|request| …
 *
 * Throws InputError where there are fewer requests than clients.
 */
export function closedTraffic(spec: ClosedSpec, seed: number): Traffic {
  checkLengths('traffic.prompt', spec.prompt);
  checkLengths('traffic.output', spec.output);
  const { clients, requests, think_s } = spec;
  if (requests < clients) {
    throw new InputError(
      `traffic.requests: ${requests}, expected at least one for each of the ${clients} clients`,
    );
  }
  const prompts = stream(seed, 'traffic.prompt');
  const outputs = stream(seed, 'traffic.output');
  const thoughts = stream(seed, 'traffic.think');
  const name = `${clients} clients, think ${think_s} s, prompt ${describeLengths(spec.prompt)}, output ${describeLengths(spec.output)}`;
  const builder = new TrafficBuilder(name, 0);
  for (let r = 0; r < requests; r++) {
    const client = r % clients;
    const isFirst = r < clients;
    const think = isFirst
      ? 0
      : spec.think === 'fixed' || think_s === 0
        ? think_s
        : thoughts.exponential(think_s);
    builder.request(
      Math.round((isFirst ? (spec.ramp_s * client) / clients : spec.ramp_s) * 1e9),
      drawLength(spec.prompt, prompts),
      drawLength(spec.output, outputs),
      0,
      client,
      isFirst ? -1 : r - clients,
      Math.round(think * 1e9),
    );
  }
  return builder.traffic();
}
