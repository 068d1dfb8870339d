import type { KvTransferSpec } from '../run/handoffSpec.ts';
import type { KvCarrier } from '../serving/blockTables.ts';
import type { Bytes, Ns, Tokens } from '../units.ts';
import type { ClusterState } from './clusterState.ts';
import { EventKind } from './eventKinds.ts';
import type { Links } from './links.ts';

/** Blocks reserved at the other end, and KV cache on its way there over the links. */
export class KvTransfers {
  count = 0;
  bytes: Bytes = 0;
  private readonly state: ClusterState;
  private readonly links: Links;
  private readonly how: KvTransferSpec;
  /** Arrival time of each request under way; kept only where an instance may leave during a transfer. */
  private readonly inFlight: Map<number, Ns> | undefined;

  constructor(state: ClusterState, links: Links, how: KvTransferSpec) {
    this.state = state;
    this.links = links;
    this.how = how;
    this.inFlight = state.fleet === undefined ? undefined : new Map();
  }

  /** In the order in which they left; empty where all ends stay. */
  get onTheWay(): readonly number[] {
    return this.inFlight === undefined ? [] : [...this.inFlight.keys()];
  }

  /** Tokens whose KV cache exists: all but the last generated one. */
  contextOf(r: number): Tokens {
    const { requests, traffic } = this.state;
    return (traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0) - 1;
  }

  /** Takes the blocks of `context` tokens of r at `to` at t; false where it lacks them now. */
  reserve(r: number, to: number, context: Tokens, t: Ns): boolean {
    const { requests, traffic, blockTokens } = this.state;
    const target = this.state.instance(to);
    const pool = target.pool;
    const ids = requests.idsFrom(r);
    const reuse = target.settings.prefixReuse;
    const hit = reuse ? pool.match(traffic.blockIds, ids, requests.idsTo(r)) : 0;
    const fresh = Math.ceil(context / blockTokens) - hit;
    if (fresh + (hit > 0 ? pool.idleAmong(traffic.blockIds, ids, hit) : 0) > pool.available) return false;
    pool.journal?.notBefore(t);
    pool.hold(traffic.blockIds, ids, hit);
    pool.take(fresh);
    pool.tables?.admit(r, traffic.blockIds, ids, hit, hit + fresh);
    target.tiers?.handDown(t);
    requests.incomingShared[r] = hit;
    requests.incomingOwn[r] = fresh;
    requests.movingTo[r] = to;
    return true;
  }

  /** Blocks that the target already has need not travel. */
  private bytesToSend(r: number): Bytes {
    const there = (this.state.requests.incomingShared[r] ?? 0) * this.state.blockTokens;
    return Math.max(0, this.contextOf(r) - there) * this.links.kvBytesPerToken;
  }

  /** False where the target lacks blocks for it now. */
  start(r: number, to: number, t: Ns, kind: 'transfer' | 'migrate'): boolean {
    if (!this.reserve(r, to, this.contextOf(r), t)) return false;
    const from = this.state.requests.heldBy[r] ?? 0;
    const bytes = this.bytesToSend(r);
    this.count++;
    if (this.state.carrier !== undefined) {
      this.carry(this.state.carrier, r, from, to, t, bytes, kind);
      return true;
    }
    const end = this.links.send(from, to, bytes, t);
    this.send(r, from, to, t, end, bytes, kind);
    if (this.how.kind === 'blocking' && kind === 'transfer') this.state.instance(from).pause(end);
    return true;
  }

  /** One transfer per source for as many of the waiting requests, in order, as there is room for. */
  startBatch(waiting: readonly number[], to: number, t: Ns): number {
    const { requests } = this.state;
    const bySource = new Map<number, number[]>();
    let admitted = 0;
    for (const r of waiting) {
      if (!this.reserve(r, to, this.contextOf(r), t)) break;
      admitted++;
      const from = requests.heldBy[r] ?? 0;
      const together = bySource.get(from);
      if (together === undefined) bySource.set(from, [r]);
      else together.push(r);
    }
    for (const [from, together] of bySource) {
      const sizes = together.map((r) => this.bytesToSend(r));
      const { carrier } = this.state;
      if (carrier !== undefined) {
        this.count++;
        together.forEach((r, k) => {
          this.carry(carrier, r, from, to, t, sizes[k] ?? 0, 'transfer');
        });
        continue;
      }
      const end = this.links.send(
        from,
        to,
        sizes.reduce((a, b) => a + b, 0),
        t,
      );
      this.count++;
      together.forEach((r, k) => {
        this.send(r, from, to, t, end, sizes[k] ?? 0, 'transfer');
      });
    }
    return admitted;
  }

  /** Copies between real memories: the end is known when it has come. */
  private carry(
    carrier: KvCarrier,
    r: number,
    from: number,
    to: number,
    t: Ns,
    bytes: Bytes,
    kind: 'transfer' | 'migrate',
  ): void {
    const { requests, queue, recorder } = this.state;
    this.bytes += bytes;
    // Until it is there the time of its arrival is unknown, and no event can carry it.
    this.inFlight?.set(r, Number.NaN);
    const move = {
      request: r,
      from,
      to,
      source: this.state.instance(from).pool.tables?.of(r) ?? [],
      target: this.state.instance(to).pool.tables?.of(r) ?? [],
      skip: requests.incomingShared[r] ?? 0,
    };
    const blocks = requests.incomingOwn[r] ?? 0;
    this.state.moving++;
    carrier.carry(move, (at) => {
      this.state.moving--;
      // The request was lost with one of its ends meanwhile.
      if (requests.movingTo[r] !== to || this.inFlight?.has(r) === false) return;
      this.inFlight?.set(r, at);
      queue.push(at, EventKind.transferred, r, to);
      recorder.kvEvent(t, kind, r, from, to, blocks, bytes, at - t);
      this.state.wake();
    });
  }

  private send(
    r: number,
    from: number,
    to: number,
    t: Ns,
    end: Ns,
    bytes: Bytes,
    kind: 'transfer' | 'migrate',
  ): void {
    const { requests, queue, recorder } = this.state;
    this.bytes += bytes;
    this.inFlight?.set(r, end);
    queue.push(end, EventKind.transferred, r, to);
    recorder.kvEvent(t, kind, r, from, to, requests.incomingOwn[r] ?? 0, bytes, end - t);
  }

  /** r leaves as it is computed, and is there at `at`. */
  streamed(r: number, to: number, at: Ns): void {
    this.count++;
    this.inFlight?.set(r, at);
    this.state.queue.push(at, EventKind.transferred, r, to);
  }

  /**
   * Everything has arrived at `to`: the source gives its blocks back, and r's are the target's. The source; −1 where the
   * transfer had been lost.
   */
  arrived(r: number, to: number, t: Ns, due: Ns = t): number {
    const { requests, traffic } = this.state;
    if (this.inFlight !== undefined) {
      // The transfer was lost with one of its ends, and perhaps begun anew.
      if (this.inFlight.get(r) !== due || requests.movingTo[r] !== to) return -1;
      this.inFlight.delete(r);
    }
    const from = requests.heldBy[r] ?? 0;
    const source = this.state.instance(from);
    const target = this.state.instance(to);
    source.advanceTo(t);
    target.advanceTo(t);
    source.releaseBlocks(r);
    target.pool.journal?.notBefore(t);
    let shared = requests.incomingShared[r] ?? 0;
    let own = requests.incomingOwn[r] ?? 0;
    if (target.settings.prefixReuse) {
      const ids = requests.idsFrom(r);
      for (const end = requests.idsTo(r); ids + shared < end; shared++, own--) {
        const id = traffic.blockIds[ids + shared] ?? -1;
        target.pool.publish(id, ids + shared, shared);
        target.pool.tables?.publish(r, shared, id);
      }
    }
    requests.shared[r] = shared;
    requests.own[r] = own;
    requests.incomingShared[r] = 0;
    requests.incomingOwn[r] = 0;
    requests.heldBy[r] = -1;
    requests.movingTo[r] = -1;
    if (Number.isNaN(requests.transferNs[r] ?? 0) && (requests.migrations[r] ?? 0) === 0) {
      requests.transferNs[r] = t - (requests.lastTokenNs[r] ?? t);
    }
    return from;
  }

  /** Gives back the blocks that were reserved for r. Returns their instance, −1 without a reservation. */
  cancel(r: number, t: Ns): number {
    const { requests, traffic } = this.state;
    const to = requests.movingTo[r] ?? -1;
    if (to < 0) return -1;
    const target = this.state.instance(to);
    target.advanceTo(t);
    target.pool.tables?.release(r, requests.incomingShared[r] ?? 0);
    target.pool.give(requests.incomingOwn[r] ?? 0);
    target.pool.release(traffic.blockIds, requests.idsFrom(r), requests.incomingShared[r] ?? 0);
    target.unblock();
    this.forget(r);
    return to;
  }

  /** The blocks that were reserved for r went with their instance, and what was on its way with them. */
  forget(r: number): void {
    const { requests } = this.state;
    this.inFlight?.delete(r);
    requests.incomingOwn[r] = 0;
    requests.incomingShared[r] = 0;
    requests.movingTo[r] = -1;
  }
}
