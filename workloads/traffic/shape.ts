import type { Ns } from '../units.ts';
import type { Traffic, TrafficTotals } from './traffic.ts';

/** Every gap divided by `factor`: 2 = the same requests in half the time. */
export function speedUp(traffic: Traffic, factor: number): Traffic {
  if (factor === 1) return traffic;
  return {
    ...traffic,
    name: `${traffic.name} ×${factor}`,
    arrivalNs: traffic.arrivalNs.map((arrival) => Math.round(arrival / factor)),
    ...(traffic.turns === undefined
      ? {}
      : {
          turns: {
            previous: traffic.turns.previous,
            thinkNs: traffic.turns.thinkNs.map((think) => Math.round(think / factor)),
          },
        }),
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
    ...(traffic.turns === undefined
      ? {}
      : {
          turns: {
            previous: traffic.turns.previous
              .slice(start, end)
              .map((before) => (before < start ? -1 : before - start)),
            thinkNs: traffic.turns.thinkNs.slice(start, end),
          },
        }),
    ...(traffic.source === undefined ? {} : { source: traffic.source }),
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

/** The requests that `keeps` accepts by their index; arrivals count from the first of them, ids are renumbered. */
export function filtered(traffic: Traffic, keeps: (r: number) => boolean): Traffic {
  const place = new Int32Array(traffic.requests).fill(-1);
  let kept = 0;
  for (let r = 0; r < traffic.requests; r++) if (keeps(r)) place[r] = kept++;
  if (kept === traffic.requests) return traffic;
  const originals = Int32Array.from({ length: kept });
  for (let r = 0; r < traffic.requests; r++) {
    const at = place[r] ?? -1;
    if (at >= 0) originals[at] = r;
  }
  const first = traffic.arrivalNs[originals[0] ?? 0] ?? 0;
  const blockOffsets = new Int32Array(kept + 1);
  originals.forEach((r, i) => {
    const refs = (traffic.blockOffsets[r + 1] ?? 0) - (traffic.blockOffsets[r] ?? 0);
    blockOffsets[i + 1] = (blockOffsets[i] ?? 0) + refs;
  });
  const blockIds = new Int32Array(blockOffsets[kept] ?? 0);
  const renumbered = new Int32Array(traffic.uniqueBlocks).fill(-1);
  let unique = 0;
  originals.forEach((r, i) => {
    const from = traffic.blockOffsets[r] ?? 0;
    const to = blockOffsets[i] ?? 0;
    const refs = (blockOffsets[i + 1] ?? 0) - to;
    for (let k = 0; k < refs; k++) {
      const id = traffic.blockIds[from + k] ?? 0;
      if ((renumbered[id] ?? -1) < 0) renumbered[id] = unique++;
      blockIds[to + k] = renumbered[id] ?? 0;
    }
  });
  const { turns } = traffic;
  const previous = (r: number): number => {
    // A turn whose predecessor is left out follows the one before that; the first that is left arrives at its own time.
    let before = turns?.previous[r] ?? -1;
    while (before >= 0 && (place[before] ?? -1) < 0) before = turns?.previous[before] ?? -1;
    return before < 0 ? -1 : (place[before] ?? -1);
  };
  return {
    ...traffic,
    requests: kept,
    arrivalNs: Float64Array.from(originals, (r) => (traffic.arrivalNs[r] ?? 0) - first),
    promptTokens: originals.map((r) => traffic.promptTokens[r] ?? 0),
    outputTokens: originals.map((r) => traffic.outputTokens[r] ?? 0),
    priority: Uint8Array.from(originals, (r) => traffic.priority[r] ?? 0),
    session: originals.map((r) => traffic.session[r] ?? 0),
    blockTokens: blockIds.length === 0 ? 0 : traffic.blockTokens,
    blockOffsets,
    blockIds,
    uniqueBlocks: unique,
    ...(turns === undefined
      ? {}
      : {
          turns: {
            previous: originals.map(previous),
            thinkNs: Float64Array.from(originals, (r) => turns.thinkNs[r] ?? 0),
          },
        }),
  };
}
