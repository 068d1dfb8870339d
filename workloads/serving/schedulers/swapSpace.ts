import type { PreemptionSpec } from '../../run/schedulerSpec.ts';
import type { Blocks, Bytes, Ns } from '../../units.ts';
import { IntQueue } from '../intQueue.ts';

/** KV blocks that the host memory of a spec holds. */
export const hostBlocks = (
  { host_gb }: Extract<PreemptionSpec, { kind: 'swap' }>,
  blockBytes: Bytes,
): Blocks => Math.floor((host_gb * 1e9) / blockBytes);

/**
 * Host memory that holds the KV cache of preempted requests, and the link to it. As in vLLM V0 the copies of a pass are made
 * before it and hold it up: one copy of n blocks takes latency + n × bytes per block ÷ bandwidth.
 */
export class SwapSpace {
  /** Swapped out, in the order in which they come back. */
  readonly queue = new IntQueue();
  outs = 0;
  ins = 0;
  bytes: Bytes = 0;
  stallNs: Ns = 0;
  /** Preempted requests that found the host memory full and were recomputed. */
  refused = 0;
  usedBlocks: Blocks = 0;
  /** Copies that the next pass waits for. */
  private dueNs: Ns = 0;
  private readonly capacity: Blocks;
  readonly blockBytes: Bytes;
  private readonly latencyNs: Ns;
  private readonly bytesPerNs: number;

  constructor(spec: Extract<PreemptionSpec, { kind: 'swap' }>, blockBytes: Bytes) {
    this.blockBytes = blockBytes;
    this.capacity = hostBlocks(spec, blockBytes);
    this.latencyNs = spec.latency_us * 1e3;
    this.bytesPerNs = spec.bandwidth_gb_per_s;
  }

  /** Takes room for `blocks`; false where there is not enough. */
  take(blocks: Blocks): boolean {
    if (this.usedBlocks + blocks > this.capacity) {
      this.refused++;
      return false;
    }
    this.usedBlocks += blocks;
    return true;
  }

  out(r: number, blocks: Blocks): Ns {
    this.queue.push(r);
    this.outs++;
    return this.copy(blocks);
  }

  /** The first of the queue comes back. */
  in(blocks: Blocks): Ns {
    this.queue.shift();
    this.ins++;
    this.usedBlocks -= blocks;
    return this.copy(blocks);
  }

  /** The machine and its memory are gone. Returns the requests that were held here. */
  clear(): readonly number[] {
    const lost: number[] = [];
    while (this.queue.length > 0) lost.push(this.queue.shift());
    this.usedBlocks = 0;
    this.dueNs = 0;
    return lost;
  }

  private copy(blocks: Blocks): Ns {
    const bytes = blocks * this.blockBytes;
    const ns = Math.round(this.latencyNs + bytes / this.bytesPerNs);
    this.bytes += bytes;
    this.dueNs += ns;
    return ns;
  }

  /** Copies on a device held a pass up for so long. */
  waited(ns: Ns): void {
    this.dueNs = 0;
    this.stallNs += ns;
  }

  /** What the pass that starts now waits for. */
  takeStall(): Ns {
    const ns = this.dueNs;
    this.dueNs = 0;
    this.stallNs += ns;
    return ns;
  }
}
