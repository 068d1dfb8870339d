import type { Instance } from '../../serving/instance.ts';
import type { Blocks, Ns } from '../../units.ts';
import type { DeviceError, DeviceModel, DevicePool } from './device.ts';
import type { DeviceClock } from './deviceClock.ts';

type Direction = 'swap_out' | 'swap_in';

interface Copy {
  readonly request: number;
  readonly direction: Direction;
  readonly blocks: Blocks;
  /** Source and target block, one after the other. */
  readonly pairs: readonly number[];
}

export interface SwapParts {
  readonly model: DeviceModel;
  readonly device: DevicePool;
  /** Pinned host memory, as many blocks as the instance may swap out at once. */
  readonly host: DevicePool;
  readonly clock: DeviceClock;
  /** A copy was made, from `startNs` on the run's clock, in `ns`. */
  swapped(r: number, startNs: Ns, instance: Instance, direction: Direction, blocks: Blocks, ns: Ns): void;
  failed(error: DeviceError): void;
}

/**
 * Preempted requests in pinned host memory. The copies that a pass asks for are made before it, in the order in which they were asked
 * for: a place that one leaves may be the next one's.
 */
export class GpuSwap {
  private readonly parts: SwapParts;
  private readonly free: number[];
  private readonly held = new Map<number, readonly number[]>();
  private due: Copy[] = [];

  constructor(parts: SwapParts) {
    this.parts = parts;
    this.free = Array.from({ length: parts.host.blocks }, (_, i) => parts.host.blocks - 1 - i);
  }

  out(r: number, blocks: readonly number[]): void {
    const places = blocks.map(() => {
      const place = this.free.pop();
      if (place === undefined) throw new Error(`swap: all ${this.parts.host.blocks} host blocks are in use`);
      return place;
    });
    this.held.set(r, places);
    const pairs = blocks.flatMap((block, i) => [block, places[i] ?? 0]);
    this.due.push({ request: r, direction: 'swap_out', blocks: blocks.length, pairs });
  }

  in(r: number, blocks: readonly number[]): void {
    const places = this.held.get(r);
    if (places === undefined) throw new Error(`swap: request ${r} is not in host memory`);
    this.held.delete(r);
    const pairs = blocks.flatMap((block, i) => [places[i] ?? 0, block]);
    this.free.push(...places);
    this.due.push({ request: r, direction: 'swap_in', blocks: blocks.length, pairs });
  }

  /** Makes the copies that are due, then calls `done`; at once where there are none. */
  settle(instance: Instance, done: () => void): void {
    const due = this.due;
    this.due = [];
    let left = due.length;
    if (left === 0) {
      done();
      return;
    }
    const { model, device, host, clock } = this.parts;
    let firstNs = Number.POSITIVE_INFINITY;
    // The device makes copies in the order in which they are submitted, so none waits here for the one before it.
    for (const { request, direction, blocks, pairs } of due) {
      const [from, to] = direction === 'swap_out' ? [device, host] : [host, device];
      model.copyBlocks(from, to, Int32Array.from(pairs), {}, (answer) => {
        if (!answer.ok) {
          this.parts.failed(answer.error);
          return;
        }
        const startNs = clock.at(answer.value.startNs);
        const endNs = clock.at(answer.value.endNs);
        firstNs = Math.min(firstNs, startNs);
        this.parts.swapped(request, startNs, instance, direction, blocks, endNs - startNs);
        if (--left > 0) return;
        instance.swap?.waited(endNs - firstNs);
        done();
      });
    }
  }
}
