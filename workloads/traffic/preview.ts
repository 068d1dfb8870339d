import type { Traffic } from './traffic.ts';
import { TrafficLook, type TrafficSketch } from './trafficLook.ts';

/** What a form shows of traffic that is in memory. */
export function preview(traffic: Traffic, bins = 120): TrafficSketch {
  const look = new TrafficLook();
  for (let r = 0; r < traffic.requests; r++) {
    const end = traffic.blockOffsets[r + 1] ?? 0;
    for (let b = traffic.blockOffsets[r] ?? 0; b < end; b++) look.block(traffic.blockIds[b] ?? 0);
    look.request(
      traffic.arrivalNs[r] ?? 0,
      traffic.promptTokens[r] ?? 0,
      traffic.outputTokens[r] ?? 0,
      traffic.priority[r],
      traffic.session[r],
    );
  }
  return look.sketch(traffic.name, traffic.source, bins);
}
