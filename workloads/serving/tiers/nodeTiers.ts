import type { KvTiersSpec } from '../../run/kvSpec.ts';
import type { Blocks, Bytes, Ns } from '../../units.ts';
import { earliest, occupy } from './port.ts';
import type { TierEvents } from './tierEvents.ts';
import type { TierLevel } from './tierLevel.ts';

/** Blocks that one member gives down at one time. */
interface Descent {
  readonly at: Ns;
  readonly member: number;
  readonly ids: readonly number[];
}

/** Blocks with consecutive places in a prompt that lie in one memory; level −1: in the pool itself, behind a missing one. */
export interface Segment {
  readonly level: number;
  readonly store: number;
  readonly ids: readonly number[];
}

/**
 * The tiers that the instances of one node share. Instances are advanced one by one, so what they give down is collected with
 * its time, and takes effect, in order of time, before the next look into the tiers: `settle`.
 */
export class NodeTiers {
  readonly spec: KvTiersSpec;
  readonly levels: readonly TierLevel[];
  readonly blockBytes: Bytes;
  readonly events: TierEvents;
  /** Index of member 0 in the cluster. */
  readonly first: number;
  private readonly stagingBytes: Bytes;
  private readonly pending: Descent[] = [];
  private settledNs: Ns = 0;

  constructor(
    spec: KvTiersSpec,
    levels: readonly TierLevel[],
    blockBytes: Bytes,
    first: number,
    events: TierEvents,
  ) {
    this.spec = spec;
    this.levels = levels;
    this.blockBytes = blockBytes;
    this.first = first;
    this.events = events;
    this.stagingBytes = spec.staging_gb * 1e9;
  }

  /** The blocks leave member m's pool at t, or (write-through) are copied from it. */
  giveDown(m: number, at: Ns, ids: readonly number[]): void {
    this.pending.push({ at, member: m, ids });
  }

  /** Everything that was given down up to t takes effect. No member will give down anything before t any more. */
  settle(t: Ns): void {
    const { pending } = this;
    if (pending.length === 0) return;
    // Stable: what one member gave down at one time stays in order.
    pending.sort((a, b) => a.at - b.at || a.member - b.member);
    let done = 0;
    for (; done < pending.length; done++) {
      const next = pending[done];
      if (next === undefined || next.at > t) break;
      if (next.at < this.settledNs)
        throw new Error(`tiers: blocks of ${next.at} come after ${this.settledNs}`);
      this.descend(0, next.ids, next.member, next.at);
    }
    pending.splice(0, done);
    this.settledNs = Math.max(this.settledNs, t);
  }

  /** Blocks come to a level from above; what it has already need not travel. */
  private descend(at: number, ids: readonly number[], m: number, t: Ns): void {
    const level = this.levels[at];
    if (level === undefined || ids.length === 0) return;
    let incoming = ids.filter((id) => !level.refresh(m, id));
    if (incoming.length === 0) return;
    const s = level.choose(m);
    const store = level.stores[s];
    if (store === undefined) {
      this.overflow(at, incoming, m, t);
      return;
    }
    const path = level.writePath(m, s);
    const waiting = (earliest(path, t) - t) * level.spec.write_gb_per_s;
    const staged = Math.max(0, Math.floor((this.stagingBytes - waiting) / this.blockBytes));
    // What was given up first goes first: a prefix loses its end before its beginning.
    if (incoming.length > staged) {
      this.drop(level, incoming.length - staged, m, t);
      incoming = incoming.slice(incoming.length - staged);
    }
    const victims: number[] = [];
    while (store.free < incoming.length && victims.length < store.capacity) {
      const victim = store.giveUp(t);
      if (victim < 0) break;
      victims.push(victim);
    }
    // More than fits, or what is here is being read.
    const beyond = incoming.splice(0, Math.max(0, incoming.length - store.free));
    if (incoming.length > 0) {
      const bytes = incoming.length * this.blockBytes;
      const ns = level.writeNs(bytes);
      const start = occupy(path, t, ns);
      for (const id of incoming) store.insert(id, start + ns);
      level.demotions += incoming.length;
      level.demotedBytes += bytes;
      const to = level.kind === 'peer' ? this.first + s : -1;
      this.events.tierEvent(start, 'demote', level.kind, -1, this.first + m, to, incoming.length, bytes, ns);
    }
    this.overflow(at, victims, level.ownerOf(s, m), t);
    this.overflow(at, beyond, m, t);
  }

  /** Blocks that a level has no room for. */
  private overflow(at: number, ids: readonly number[], m: number, t: Ns): void {
    const level = this.levels[at];
    if (level === undefined || ids.length === 0) return;
    if (this.spec.overflow === 'drop' || at + 1 === this.levels.length) this.drop(level, ids.length, m, t);
    else this.descend(at + 1, ids, m, t);
  }

  /** Member m is gone at t; all members were advanced to t. */
  crashed(m: number, t: Ns): void {
    this.settle(t);
    for (const level of this.levels) {
      const lost = level.crashed(m);
      if (lost > 0) this.drop(level, lost, m, t);
    }
  }

  private drop(level: TierLevel, blocks: Blocks, m: number, t: Ns): void {
    level.drops += blocks;
    this.events.tierEvent(t, 'drop', level.kind, -1, this.first + m, -1, blocks, blocks * this.blockBytes, 0);
  }

  /**
   * Where the blocks ids[from .. to) can be read by member m at t, up to the first that is nowhere. `inPool` says of a block
   * whether the pool itself has it, which only counts once those before it are there.
   */
  look(
    m: number,
    ids: Int32Array,
    from: number,
    to: number,
    t: Ns,
    inPool: (id: number) => boolean,
  ): Segment[] {
    this.settle(t);
    const segments: Segment[] = [];
    let open: { level: number; store: number; ids: number[] } | undefined;
    for (let i = from; i < to; i++) {
      const id = ids[i] ?? -1;
      let level = -2;
      let store = -1;
      if (inPool(id)) level = -1;
      else {
        for (let k = 0; k < this.levels.length; k++) {
          store = this.levels[k]?.find(m, id, t) ?? -1;
          if (store < 0) continue;
          level = k;
          break;
        }
      }
      if (level === -2) break;
      if (open === undefined || open.level !== level || open.store !== store) {
        open = { level, store, ids: [] };
        segments.push(open);
      }
      open.ids.push(id);
    }
    return segments;
  }
}
