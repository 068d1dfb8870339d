import type { Bytes, Ns } from '../units.ts';
import type { ClusterState } from './clusterState.ts';
import type { Dispatch } from './dispatch.ts';
import { EventKind } from './eventKinds.ts';
import type { Links } from './links.ts';

/**
 * KV cache on the move from where a prompt was computed to where it decodes. A hand-over reserves its blocks at the target
 * first, then waits for both ends of the link; the source gives its blocks back when everything has arrived.
 *
 * Only where the end of a pass can touch another instance (a prompt that moves on, blocks that someone waits for) are the
 * passes of an instance events (`wake`).
 */
export class HandOvers {
  transfers = 0;
  transferBytes: Bytes = 0;
  private readonly state: ClusterState;
  private readonly dispatch: Dispatch;
  private readonly links: Links;
  /** Per instance: who waits for room there, in order. */
  private readonly inbound: number[][];
  private readonly promptsDone: number[] = [];
  private readonly wakeAt: Float64Array;

  constructor(state: ClusterState, dispatch: Dispatch, links: Links) {
    this.state = state;
    this.dispatch = dispatch;
    this.links = links;
    this.inbound = state.instances.map(() => []);
    this.wakeAt = new Float64Array(state.instances.length).fill(Number.NaN);
  }

  /** A prompt ended in the pass that is being completed; it is placed once the instance was advanced. */
  promptDone(r: number): void {
    this.promptsDone.push(r);
  }

  // ── Passes that are events ────────────────────────────────────────────────────────────────────

  scheduleWake(i: number, t: Ns): void {
    const instance = this.state.instance(i);
    // Passes matter to others where someone waits for blocks, or where a prompt may end and move on.
    const matters =
      (this.inbound[i]?.length ?? 0) > 0 ||
      (instance.settings.asksWhereToDecode && (instance.prefills > 0 || instance.waiting.length > 0));
    if (!matters) return;
    const at = instance.flying ? instance.endNs : instance.outstanding > 0 ? t : Number.NaN;
    if (Number.isNaN(at) || this.wakeAt[i] === at) return;
    this.wakeAt[i] = at;
    this.state.queue.push(at, EventKind.wake, i);
  }

  /** A pass of instance i ends at t, or may start; an event that was overtaken by a newer one does nothing. */
  wake(i: number, t: Ns): void {
    if (this.wakeAt[i] !== t) return;
    this.wakeAt[i] = Number.NaN;
    const instance = this.state.instance(i);
    instance.advanceTo(t);
    this.placeDonePrompts(t);
    this.admitInbound(i, t);
    instance.startAt(t);
    // Where nothing could start, blocks are missing; whoever frees them wakes the instance.
    if (instance.flying) this.scheduleWake(i, t);
  }

  private placeDonePrompts(t: Ns): void {
    const { state, dispatch } = this;
    for (let k = 0; k < this.promptsDone.length; k++) {
      const r = this.promptsDone[k] ?? 0;
      const holder = state.requests.heldBy[r] ?? 0;
      const wanted = dispatch.decode(r, t, holder);
      const canStay = state.instance(holder).role !== 'prefill';
      if (wanted === holder && !canStay) {
        throw new Error(
          `router ${state.spec.policy.router} keeps request ${r} on the prefill instance ${holder}`,
        );
      }
      if (wanted !== holder) state.instance(wanted).advanceTo(t);
      // Who can decode where it is does not wait for room elsewhere: so nobody ever waits in a circle.
      const moves =
        wanted !== holder && canStay
          ? (this.inbound[wanted]?.length ?? 0) === 0 && this.startTransfer(r, wanted, t, 'transfer')
          : !canStay;
      const chosen = moves ? wanted : holder;
      state.recorder.decision(r, t, 'decode', chosen, dispatch.sheet);
      if (!moves) {
        state.instance(holder).receive(r, t);
        continue;
      }
      dispatch.sent(chosen);
      if (canStay) continue;
      this.inbound[chosen]?.push(r);
      if (this.inbound[chosen]?.length === 1) {
        this.admitInbound(chosen, t);
        this.scheduleWake(chosen, t);
      }
    }
    this.promptsDone.length = 0;
  }

  // ── Transfers ─────────────────────────────────────────────────────────────────────────────────

  /** Reserves blocks for those who wait to come in, in order; the transfers start as soon as the links are free. */
  private admitInbound(to: number, t: Ns): void {
    const waiting = this.inbound[to];
    if (waiting === undefined || waiting.length === 0) return;
    let admitted = 0;
    while (admitted < waiting.length && this.startTransfer(waiting[admitted] ?? 0, to, t, 'transfer'))
      admitted++;
    if (admitted > 0) waiting.splice(0, admitted);
  }

  /** False where the target lacks blocks for it now. */
  startTransfer(r: number, to: number, t: Ns, kind: 'transfer' | 'migrate'): boolean {
    const { requests, traffic, blockTokens, queue, recorder } = this.state;
    const target = this.state.instance(to);
    const pool = target.pool;
    const from = requests.heldBy[r] ?? 0;
    const context = (traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0) - 1;
    const ids = requests.idsFrom(r);
    const reuse = target.settings.prefixReuse;
    const hit = reuse ? pool.match(traffic.blockIds, ids, requests.idsTo(r)) : 0;
    const fresh = Math.ceil(context / blockTokens) - hit;
    if (fresh + (hit > 0 ? pool.idleAmong(traffic.blockIds, ids, hit) : 0) > pool.available) return false;
    pool.hold(traffic.blockIds, ids, hit);
    pool.take(fresh);
    requests.incomingShared[r] = hit;
    requests.incomingOwn[r] = fresh;
    requests.movingTo[r] = to;
    // Blocks that the target already has need not travel.
    const bytes = Math.max(0, context - hit * blockTokens) * this.links.kvBytesPerToken;
    const end = this.links.send(from, to, bytes, t);
    this.transfers++;
    this.transferBytes += bytes;
    queue.push(end, EventKind.transferred, r, to);
    recorder.kvEvent(t, kind, r, from, to, fresh, bytes, end - t);
    return true;
  }

  /** Everything has arrived at `to`: the source gives its blocks back, and r joins the batch of the target. */
  transferred(r: number, to: number, t: Ns): void {
    const { requests, traffic } = this.state;
    const from = requests.heldBy[r] ?? 0;
    const source = this.state.instance(from);
    const target = this.state.instance(to);
    source.advanceTo(t);
    target.advanceTo(t);
    source.releaseBlocks(r);
    let shared = requests.incomingShared[r] ?? 0;
    let own = requests.incomingOwn[r] ?? 0;
    if (target.settings.prefixReuse) {
      const ids = requests.idsFrom(r);
      for (const end = requests.idsTo(r); ids + shared < end; shared++, own--) {
        target.pool.publish(traffic.blockIds[ids + shared] ?? -1);
      }
    }
    requests.shared[r] = shared;
    requests.own[r] = own;
    requests.heldBy[r] = -1;
    requests.movingTo[r] = -1;
    if (Number.isNaN(requests.transferNs[r] ?? 0) && (requests.migrations[r] ?? 0) === 0) {
      requests.transferNs[r] = t - (requests.lastTokenNs[r] ?? t);
    }
    target.receive(r, t);
    this.admitInbound(from, t);
    this.scheduleWake(from, t);
    this.scheduleWake(to, t);
  }
}
