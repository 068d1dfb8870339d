import type { KvCarrier } from '../../serving/blockTables.ts';
import type { DeviceError, DeviceModel, DevicePool } from './device.ts';
import type { DeviceClock } from './deviceClock.ts';

/** The memory that an instance's blocks are in. */
export interface CarrierEnd {
  readonly memory: DevicePool;
  readonly model: DeviceModel;
}

/** Copies the KV blocks of a request from one instance's pool to another's, on a stream of its own. */
export class GpuCarrier implements KvCarrier {
  private readonly ends: readonly CarrierEnd[];
  private readonly clock: DeviceClock;
  private readonly failed: (error: DeviceError) => void;

  constructor(ends: readonly CarrierEnd[], clock: DeviceClock, failed: (error: DeviceError) => void) {
    this.ends = ends;
    this.clock = clock;
    this.failed = failed;
  }

  carry(
    { from, to, source, target, skip }: Parameters<KvCarrier['carry']>[0],
    done: (at: number) => void,
  ): void {
    const [there, here] = [this.ends[from], this.ends[to]];
    if (there === undefined || here === undefined) throw new Error(`no instance ${from} or ${to}`);
    // The source may have reserved one block more, for the next token.
    const count = Math.min(source.length, target.length) - skip;
    const pairs = new Int32Array(2 * Math.max(0, count));
    for (let i = 0; i < count; i++) {
      pairs[2 * i] = source[skip + i] ?? 0;
      pairs[2 * i + 1] = target[skip + i] ?? 0;
    }
    there.model.copyBlocks(there.memory, here.memory, pairs, {}, (answer) => {
      if (answer.ok) done(this.clock.at(answer.value.endNs));
      else this.failed(answer.error);
    });
  }
}
