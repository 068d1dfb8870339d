import { withKvQuantisation } from '../model/kvQuantisation.ts';
import { findModel } from '../model/models.ts';
import { kvBytesPerToken } from '../model/shape.ts';
import type { ClusterSpec } from '../run/spec.ts';
import type { Bytes, Ns } from '../units.ts';

/** What a router with no KV arithmetic of its own pays per token where the model has no known shape. */
const unknownModelKvBytes = 131072;

/** Bytes of KV cache per token, over all GPUs of an instance. */
export const kvBytesOf = ({ model, kv }: ClusterSpec): Bytes => {
  const known = findModel(model);
  if (known === undefined) return unknownModelKvBytes;
  return kvBytesPerToken(kv.quantisation === undefined ? known : withKvQuantisation(known, kv.quantisation));
};

/** The links between instances: each instance sends one transfer at a time, and receives one at a time. */
export class Links {
  readonly kvBytesPerToken: Bytes;
  readonly latencyNs: Ns;
  private readonly bytesPerNs: number;
  /** Share of the bandwidth that each instance's links have now. */
  private readonly health: Float64Array;
  private readonly sendFree: Float64Array;
  private readonly receiveFree: Float64Array;

  constructor(cluster: ClusterSpec) {
    const { link } = cluster;
    const instances = cluster.instances.length;
    this.kvBytesPerToken = kvBytesOf(cluster);
    this.bytesPerNs = link.bandwidth_gb_per_s;
    this.latencyNs = Math.round(link.latency_us * 1e3);
    this.health = new Float64Array(instances).fill(1);
    this.sendFree = new Float64Array(instances);
    this.receiveFree = new Float64Array(instances);
  }

  /** Transfers that start from now on have this share of the bandwidth, to and from one instance or between all. */
  degrade(instance: number | undefined, factor: number): void {
    if (instance === undefined) this.health.fill(factor);
    else this.health[instance] = factor;
  }

  /** A transfer is as slow as the worse of its ends. */
  private rate(from: number, to: number): number {
    return this.bytesPerNs * Math.min(this.health[from] ?? 1, this.health[to] ?? 1);
  }

  /** Takes both ends for a transfer of `bytes` from t on, as soon as both are free; the time at which it is over. */
  send(from: number, to: number, bytes: Bytes, t: Ns): Ns {
    const start = Math.max(t, this.sendFree[from] ?? 0, this.receiveFree[to] ?? 0);
    const end = start + this.latencyNs + Math.round(bytes / this.rate(from, to));
    this.sendFree[from] = end;
    this.receiveFree[to] = end;
    return end;
  }

  /**
   * KV cache that leaves while it is computed: `ready` bytes are there when the pass starts, `fresh` ones appear evenly,
   * one layer after the other, until it ends. Time at which the last byte has arrived:
   *
   *   pass    ├ layer 1 ┼ layer 2 ┼ layer 3 ┼ layer 4 ┤            fast link: end + one layer's transfer
   *   link              ├ 1 ┤     ├ 2 ┤     ├ 3 ┤     ├ 4 ┤
   *
   *   pass    ├ 1 ┼ 2 ┼ 3 ┼ 4 ┤                                    slow link: first layer + all transfers
   *   link        ├── 1 ──┼── 2 ──┼── 3 ──┼── 4 ──┤
   *
   * Both ends are taken for as long as the bytes need, in one piece from when the first of them can leave: a fast link is
   * free for others while the pass goes on, but where in the pass each byte travels is not followed. The latency is paid
   * once, by the last layer.
   */
  sendLayers(from: number, to: number, ready: Bytes, fresh: Bytes, layers: number, start: Ns, end: Ns): Ns {
    const free = Math.max(start, this.sendFree[from] ?? 0, this.receiveFree[to] ?? 0);
    const rate = this.rate(from, to);
    let carried = free + Math.floor(ready / rate);
    if (fresh > 0) {
      const firstLayer = start + Math.floor((end - start) / layers);
      carried = Math.max(carried, firstLayer) + Math.floor(fresh / rate);
    }
    this.sendFree[from] = carried;
    this.receiveFree[to] = carried;
    const lastLayer = fresh > 0 ? end + Math.floor(fresh / layers / rate) : start;
    return Math.max(carried, lastLayer) + this.latencyNs;
  }
}
