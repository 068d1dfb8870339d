import type { Ns } from '../units.ts';
import type { Traffic, TrafficTotals } from './traffic.ts';

/** Every gap divided by `factor`: 2 = the same requests in half the time. */
export function speedUp(traffic: Traffic, factor: number): Traffic {
  if (factor === 1) return traffic;
  return {
    ...traffic,
    name: `${traffic.name} ×${factor}`,
    arrivalNs: traffic.arrivalNs.map((arrival) => Math.round(arrival / factor)),
  };
}

/** Requests from..to (to not included) as traffic of their own: arrivals count from the first one, ids are renumbered. */
export function slice(traffic: Traffic, from: number, to: number): Traffic {
  const start = Math.max(0, Math.min(from, traffic.requests));
  const end = Math.max(start, Math.min(to, traffic.requests));
  const refStart = traffic.blockOffsets[start] ?? 0;
  const refEnd = traffic.blockOffsets[end] ?? 0;
  const first = traffic.arrivalNs[start] ?? 0;
  const renumbered = new Int32Array(traffic.uniqueBlocks).fill(-1);
  let unique = 0;
  const blockIds = traffic.blockIds.slice(refStart, refEnd).map((id) => {
    if ((renumbered[id] ?? -1) < 0) renumbered[id] = unique++;
    return renumbered[id] ?? 0;
  });
  return {
    name: `${traffic.name} [${start}, ${end})`,
    requests: end - start,
    arrivalNs: traffic.arrivalNs.slice(start, end).map((arrival) => arrival - first),
    promptTokens: traffic.promptTokens.slice(start, end),
    outputTokens: traffic.outputTokens.slice(start, end),
    priority: traffic.priority.slice(start, end),
    session: traffic.session.slice(start, end),
    blockTokens: blockIds.length === 0 ? 0 : traffic.blockTokens,
    blockOffsets: traffic.blockOffsets.slice(start, end + 1).map((offset) => offset - refStart),
    blockIds,
    uniqueBlocks: unique,
  };
}

/** Arrival of the last request: the time over which the traffic arrives. */
export const durationNs = (traffic: Traffic): Ns => traffic.arrivalNs[traffic.requests - 1] ?? 0;

export function totals(traffic: Traffic): TrafficTotals {
  let promptTokens = 0;
  let outputTokens = 0;
  for (let r = 0; r < traffic.requests; r++) {
    promptTokens += traffic.promptTokens[r] ?? 0;
    outputTokens += traffic.outputTokens[r] ?? 0;
  }
  return {
    requests: traffic.requests,
    promptTokens,
    outputTokens,
    blockRefs: traffic.blockOffsets[traffic.requests] ?? 0,
    uniqueBlocks: traffic.uniqueBlocks,
    durationNs: durationNs(traffic),
  };
}
