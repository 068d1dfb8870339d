import type { TierKind, TierSpec } from '../../run/kvSpec.ts';
import type { Blocks, Bytes, Ns, Tokens } from '../../units.ts';
import { type Path, Port } from './port.ts';
import { TierStore } from './tierStore.ts';

const ports = (count: number): Port[] => Array.from({ length: count }, () => new Port());

/** One tier of one node: its memories, the links to them, and what went over these. Members are counted from 0 in the node. */
export class TierLevel {
  readonly kind: TierKind;
  readonly spec: TierSpec;
  readonly stores: readonly TierStore[];
  readonly decodeShare: number;
  /** Blocks found here that a request used when it was first scheduled, and the prompt tokens in them. */
  hits: Blocks = 0;
  hitTokens: Tokens = 0;
  promotions: Blocks = 0;
  promotedBytes: Bytes = 0;
  demotions: Blocks = 0;
  demotedBytes: Bytes = 0;
  /** Blocks that went no further down: given up, or not taken in. */
  drops: Blocks = 0;
  private readonly latencyNs: Ns;
  /** Ports of the members (link of their own) or of the node; and those of the memories, where they have some (peer). */
  private readonly up: readonly Port[];
  private readonly down: readonly Port[];
  private readonly memoryOut: readonly Port[];
  private readonly memoryIn: readonly Port[];
  private readonly reachable: readonly (readonly number[])[];
  private turn = 0;

  /** `blocks`: per member, of the size that the run uses. */
  constructor(spec: TierSpec, members: number, blocks: Blocks) {
    this.kind = spec.kind;
    this.spec = spec;
    this.decodeShare = spec.decode_share;
    this.latencyNs = Math.round(spec.latency_us * 1e3);
    const peer = spec.kind === 'peer';
    const one = spec.shared && !peer;
    this.stores = one
      ? [new TierStore(blocks * members)]
      : Array.from({ length: members }, () => new TierStore(blocks));
    const own = peer || spec.link === 'instance';
    this.up = ports(own ? members : 1);
    this.down = ports(own ? members : 1);
    // What one GPU sends another leaves by the sender's port and comes in by the receiver's: lent memory has its owner's.
    const spare = peer && spec.donors === 'spare';
    this.memoryOut = spare ? ports(members) : peer ? this.down : [];
    this.memoryIn = spare ? ports(members) : peer ? this.up : [];
    this.reachable = Array.from({ length: members }, (_, m) =>
      one ? [0] : peer ? this.stores.map((_store, s) => s).filter((s) => spare || s !== m) : [m],
    );
  }

  get capacity(): Blocks {
    return this.stores.reduce((sum, store) => sum + store.capacity, 0);
  }
  get resident(): Blocks {
    return this.stores.reduce((sum, store) => sum + store.size, 0);
  }

  /** The memory in which member m can read the block at t; −1 where there is none. */
  find(m: number, id: number, t: Ns): number {
    for (const s of this.reachable[m] ?? []) if (this.stores[s]?.readable(id, t) === true) return s;
    return -1;
  }

  /** The block is in a memory that member m reaches, or on its way there: it is made the most recently used one. */
  refresh(m: number, id: number): boolean {
    for (const s of this.reachable[m] ?? []) {
      const store = this.stores[s];
      if (store?.has(id) !== true) continue;
      store.touch(id);
      return true;
    }
    return false;
  }

  /** Where member m sends blocks down to: the memory with the most room, in turn among equals; −1 where it reaches none. */
  choose(m: number): number {
    const reachable = this.reachable[m] ?? [];
    let best = -1;
    let most = -1;
    for (let k = 0; k < reachable.length; k++) {
      const s = reachable[(k + this.turn) % reachable.length] ?? 0;
      const free = this.stores[s]?.free ?? 0;
      if (free > most) {
        most = free;
        best = s;
      }
    }
    this.turn++;
    return best;
  }

  /** The member whose GPU a memory is in, where that is so; else the one that asks. */
  ownerOf(s: number, m: number): number {
    return this.kind === 'peer' ? s : m;
  }

  readPath(m: number, s: number): Path {
    const into = this.up[this.up.length === 1 ? 0 : m];
    const from = this.memoryOut[s];
    return [from, into].filter((port) => port !== undefined);
  }

  writePath(m: number, s: number): Path {
    const out = this.down[this.down.length === 1 ? 0 : m];
    const into = this.memoryIn[s];
    return [out, into].filter((port) => port !== undefined);
  }

  readNs(bytes: Bytes): Ns {
    return this.latencyNs + Math.round(bytes / this.spec.read_gb_per_s);
  }
  writeNs(bytes: Bytes): Ns {
    return this.latencyNs + Math.round(bytes / this.spec.write_gb_per_s);
  }

  /** Member m is gone, and with it the memory that was its own: its part of a tier that is not shared, or what it lent. */
  crashed(m: number): Blocks {
    const own = this.kind === 'peer' ? this.spec.donors !== 'spare' : !this.spec.shared;
    return own ? (this.stores[m]?.clear() ?? 0) : 0;
  }

  /** Every port once. */
  get ports(): readonly Port[] {
    return [...new Set([...this.up, ...this.down, ...this.memoryOut, ...this.memoryIn])];
  }

  /** Mean share of the time up to t in which the ports that blocks come up (go down) by were taken. */
  busy(direction: 'up' | 'down', t: Ns): number {
    if (t <= 0) return 0;
    const list = direction === 'up' ? this.up : this.down;
    return list.reduce((sum, port) => sum + port.busyUntil(t), 0) / (list.length * t);
  }
}
