import type { LinkSpec } from '../harness/spec.ts';
import { findModel } from '../model/models.ts';
import { kvBytesPerToken } from '../model/shape.ts';
import type { Bytes, Ns } from '../units.ts';

/** What a router with no KV arithmetic of its own pays per token where the model has no known shape. */
const unknownModelKvBytes = 131072;

export const kvBytesOf = (model: string): Bytes => {
  const known = findModel(model);
  return known === undefined ? unknownModelKvBytes : kvBytesPerToken(known);
};

/** The links between instances: each instance sends one transfer at a time, and receives one at a time. */
export class Links {
  readonly kvBytesPerToken: Bytes;
  readonly latencyNs: Ns;
  private readonly bytesPerNs: number;
  private readonly sendFree: Float64Array;
  private readonly receiveFree: Float64Array;

  constructor(instances: number, link: LinkSpec, model: string) {
    this.kvBytesPerToken = kvBytesOf(model);
    this.bytesPerNs = link.bandwidth_gb_per_s;
    this.latencyNs = Math.round(link.latency_us * 1e3);
    this.sendFree = new Float64Array(instances);
    this.receiveFree = new Float64Array(instances);
  }

  /** Takes both ends for a transfer of `bytes` from t on, as soon as both are free; the time at which it is over. */
  send(from: number, to: number, bytes: Bytes, t: Ns): Ns {
    const start = Math.max(t, this.sendFree[from] ?? 0, this.receiveFree[to] ?? 0);
    const end = start + this.latencyNs + Math.round(bytes / this.bytesPerNs);
    this.sendFree[from] = end;
    this.receiveFree[to] = end;
    return end;
  }
}
