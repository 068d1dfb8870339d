import type { KvTransferSpec } from '../run/handoffSpec.ts';
import type { Ns, Tokens } from '../units.ts';
import type { ClusterChanges } from './clusterChanges.ts';
import type { ClusterState } from './clusterState.ts';
import type { Dispatch } from './dispatch.ts';
import { EventKind } from './eventKinds.ts';
import { KvStreams } from './kvStreams.ts';
import { KvTransfers } from './kvTransfers.ts';
import type { Links } from './links.ts';

/**
 * KV cache on the move from where a prompt was computed to where it decodes. A hand-over reserves its blocks at the target
 * first, then waits for both ends of the link; the source gives its blocks back when everything has arrived.
 *
 * Only where the end of a pass can touch another instance (a prompt that moves on, blocks that someone waits for) are the
 * passes of an instance events (`wake`).
 */
export class HandOvers {
  readonly transfers: KvTransfers;
  private readonly state: ClusterState;
  private readonly dispatch: Dispatch;
  private readonly how: KvTransferSpec;
  private readonly streams: KvStreams | undefined;
  /** Per instance: the requests that wait for room there, in order, and when the batch that they form must leave. */
  private readonly inbound: number[][];
  private readonly batchDueNs: Float64Array;
  private readonly promptsDone: number[] = [];
  /** Instances whose blocks were freed while another instance was advanced. */
  private readonly freed: number[] = [];
  private readonly wakeAt: Float64Array;
  /** Where a request will decode, chosen before its prompt was computed; −1: not yet. */
  private readonly chosenEarly: Int32Array | undefined;
  /** Computed prompts without a decode instance. */
  private readonly unplaced = new Set<number>();
  /** Hears of hand-overs to instances that are gone. */
  changes: ClusterChanges | undefined;

  constructor(state: ClusterState, dispatch: Dispatch, links: Links) {
    this.state = state;
    this.dispatch = dispatch;
    const { handoff } = state.spec.cluster;
    this.how = handoff?.transfer ?? { kind: 'per_request' };
    this.transfers = new KvTransfers(state, links, this.how);
    this.streams =
      this.how.kind === 'layerwise'
        ? new KvStreams(state, dispatch, this, links, this.how.layers)
        : undefined;
    this.chosenEarly =
      handoff?.conditional === undefined ? undefined : new Int32Array(state.requests.count).fill(-1);
    this.inbound = state.instances.map(() => []);
    this.batchDueNs = new Float64Array(state.instances.length);
    this.wakeAt = new Float64Array(state.instances.length).fill(Number.NaN);
  }

  /** A prompt ended in the pass that is being completed; it is placed once the instance was advanced. */
  promptDone(r: number): void {
    this.promptsDone.push(r);
  }

  /** Where r will decode was settled before its prompt is computed. */
  choose(r: number, to: number): void {
    if (this.chosenEarly !== undefined) this.chosenEarly[r] = to;
  }

  /** Where r is to decode; the router is asked unless that was settled before. */
  decodeTarget(r: number, t: Ns, holder: number): number {
    const early = this.chosenEarly?.[r] ?? -1;
    const { fleet } = this.state;
    const stillDecodes =
      fleet === undefined || (fleet.membership.takes[early] === 1 && fleet.role[early] !== 'prefill');
    return early >= 0 && stillDecodes ? early : this.dispatch.decode(r, t, holder);
  }

  // ── Passes that are events ────────────────────────────────────────────────────────────────────

  scheduleWake(i: number, t: Ns): void {
    const instance = this.state.instance(i);
    // Passes matter to others where a request waits for blocks, a prompt may end and move on, or the end of an answer lets the
    // next turn of its conversation arrive.
    const matters =
      this.state.traffic.turns !== undefined ||
      instance.settings.executor !== undefined ||
      (this.inbound[i]?.length ?? 0) > 0 ||
      (instance.asksWhereToDecode &&
        (instance.prefills > 0 || instance.waiting.length > 0 || instance.incoming.length > 0));
    if (!matters) return;
    const at = instance.flying
      ? instance.endNs
      : instance.outstanding > 0
        ? Math.max(t, instance.pausedUntil, instance.coupling?.nextStart() ?? 0)
        : Number.NaN;
    this.wakeTime(i, at);
  }

  private wakeTime(i: number, at: Ns): void {
    if (!Number.isFinite(at) || this.wakeAt[i] === at) return;
    this.wakeAt[i] = at;
    this.state.queue.push(at, EventKind.wake, i);
  }

  /** A pass of instance i ends, or may start, at `due`, handled at t; an event that a newer one replaced does nothing. */
  wake(i: number, t: Ns, due: Ns = t): void {
    if (this.wakeAt[i] !== due) return;
    this.wakeAt[i] = Number.NaN;
    this.passEnded(i, t);
  }

  /** A pass of instance i has ended by t, or may start: what follows for others, and its next pass. */
  passEnded(i: number, t: Ns): void {
    const instance = this.state.instance(i);
    instance.advanceTo(t);
    this.placeDonePrompts(t);
    this.admitInbound(i, t);
    instance.startAt(t);
    if (instance.flying && instance.startNs === t && instance.role === 'prefill') {
      this.streams?.passStarted(instance, t);
    }
    // Nothing could start: either blocks are missing, and freeing them wakes the instance, or a prefix is on its way.
    if (instance.flying || instance.pausedUntil > t) this.scheduleWake(i, t);
    else this.wakeTime(i, instance.incoming.nextAfter(t));
  }

  /** Places the prompts that ended in passes up to t. */
  placeDonePrompts(t: Ns): void {
    for (let k = 0; k < this.promptsDone.length; k++) this.place(this.promptsDone[k] ?? 0, t);
    this.promptsDone.length = 0;
    for (let k = 0; k < this.freed.length; k++) {
      const to = this.freed[k] ?? 0;
      this.admitInbound(to, t);
      this.scheduleWake(to, t);
    }
    this.freed.length = 0;
  }

  /** The prompt of r is computed: where it decodes, and its way there. */
  private place(r: number, t: Ns): void {
    const { state, dispatch } = this;
    const { requests } = state;
    const holder = requests.heldBy[r] ?? 0;
    const streamedTo = requests.movingTo[r] ?? -1;
    if (streamedTo >= 0) {
      this.endStream(r, holder, streamedTo, t);
      return;
    }
    if (this.refused(r, t, holder)) return;
    const { fleet } = state;
    const canStay = state.instance(holder).role !== 'prefill';
    if (fleet !== undefined && !fleet.anyDecodes) {
      if (canStay) state.instance(holder).receive(r, t);
      else {
        this.unplaced.add(r);
        this.changes?.park(r);
      }
      return;
    }
    let wanted = this.decodeTarget(r, t, holder);
    if (fleet !== undefined && wanted !== holder && !fleet.isUp(wanted)) {
      if (!canStay) {
        this.unplaced.add(r);
        if (this.chosenEarly !== undefined) this.chosenEarly[r] = -1;
        this.changes?.placeBounced(r, wanted, t);
        return;
      }
      wanted = holder;
    }
    if (wanted === holder && !canStay) {
      throw new Error(
        `router ${state.spec.policy.router} keeps request ${r} on the prefill instance ${holder}`,
      );
    }
    if (wanted !== holder) state.instance(wanted).advanceTo(t);
    // A request that can decode locally never waits for remote blocks; this prevents deadlock between instances.
    const moves =
      wanted !== holder && canStay
        ? (this.inbound[wanted]?.length ?? 0) === 0 && this.transfers.start(r, wanted, t, 'transfer')
        : !canStay;
    const chosen = moves ? wanted : holder;
    if ((this.chosenEarly?.[r] ?? -1) < 0) state.recorder.decision(r, t, 'decode', chosen, dispatch.sheet);
    if (!moves) {
      state.instance(holder).receive(r, t);
      return;
    }
    dispatch.sent(chosen);
    if (canStay) return;
    this.queueInbound(r, chosen, t);
  }

  private endStream(r: number, holder: number, to: number, t: Ns): void {
    const way = this.streams?.promptDone(r, t);
    if (way === undefined) return;
    this.transfers.streamed(r, to, way.at);
    const blocks = this.state.requests.incomingOwn[r] ?? 0;
    const duration = way.at - way.sinceNs;
    this.state.recorder.kvEvent(way.sinceNs, 'transfer', r, holder, to, blocks, way.bytes, duration);
  }

  /** r ended with its prompt, although blocks were reserved for it elsewhere. */
  cancelReservation(r: number, t: Ns): void {
    const to = this.transfers.cancel(r, t);
    if (to >= 0) this.freed.push(to);
  }

  /** Admission is asked once more where the prompt must move on; what a refused one holds is free again. */
  private refused(r: number, t: Ns, holder: number): boolean {
    const { desk, requests } = this.state;
    const instance = this.state.instance(holder);
    if (desk === undefined || instance.role !== 'prefill') return false;
    if (desk.admitsDecode(this.dispatch.look(r, t, holder), t)) return false;
    instance.releaseBlocks(r);
    requests.heldBy[r] = -1;
    return true;
  }

  // ── Transfers ─────────────────────────────────────────────────────────────────────────────────

  private queueInbound(r: number, to: number, t: Ns): void {
    const waiting = this.inbound[to];
    if (waiting === undefined) return;
    waiting.push(r);
    if (this.how.kind === 'batched') {
      if (waiting.length === 1) {
        const due = t + Math.round(this.how.window_ms * 1e6);
        this.batchDueNs[to] = due;
        this.state.queue.push(due, EventKind.batchDue, to);
      }
      if (waiting.length >= this.how.requests) this.batchDueNs[to] = t;
      if ((this.batchDueNs[to] ?? 0) > t) return;
      this.admitInbound(to, t);
      this.scheduleWake(to, t);
    } else if (waiting.length === 1) {
      this.admitInbound(to, t);
      this.scheduleWake(to, t);
    }
  }

  /** Blocks of i were given back at t, to which it was advanced, or someone queued there. */
  roomMayHaveCome(i: number, t: Ns): void {
    this.admitInbound(i, t);
    this.scheduleWake(i, t);
  }

  /** Prompts for `to` have waited long enough for company. */
  batchDue(to: number, t: Ns): void {
    this.state.instance(to).advanceTo(t);
    this.admitInbound(to, t);
    this.scheduleWake(to, t);
  }

  /** Reserves blocks for the waiting requests, in order; their transfers start as soon as the links are free. */
  private admitInbound(to: number, t: Ns): void {
    const waiting = this.inbound[to];
    if (waiting === undefined || waiting.length === 0) return;
    let admitted = 0;
    if (this.how.kind === 'batched') {
      if (t < (this.batchDueNs[to] ?? 0)) return;
      admitted = this.transfers.startBatch(waiting, to, t);
    } else {
      while (admitted < waiting.length && this.transfers.start(waiting[admitted] ?? 0, to, t, 'transfer'))
        admitted++;
    }
    if (admitted > 0) waiting.splice(0, admitted);
  }

  /** No request waits for room at `to`, so a new one does not overtake any. */
  hasRoomAtOnce(to: number): boolean {
    return (this.inbound[to]?.length ?? 0) === 0;
  }

  /** Everything of r has arrived at `to`: it joins the batch there, and others may have the blocks that it held. */
  transferred(r: number, to: number, t: Ns, due: Ns = t): void {
    const from = this.transfers.arrived(r, to, t, due);
    if (from < 0) return;
    this.state.instance(to).receive(r, t);
    this.admitInbound(from, t);
    this.scheduleWake(from, t);
    this.scheduleWake(to, t);
  }

  // ── Instances that go ─────────────────────────────────────────────────────────────────────────

  /** A computed prompt without a decode instance is held at i. */
  holdsUnplaced(i: number): boolean {
    for (const r of this.unplaced) if (this.state.requests.heldBy[r] === i) return true;
    return false;
  }

  /** Something is on its way from or to instance i, or waits for room there. */
  touches(i: number): boolean {
    const { requests } = this.state;
    const isHere = (r: number): boolean => requests.heldBy[r] === i || requests.movingTo[r] === i;
    if ((this.inbound[i]?.length ?? 0) > 0) return true;
    for (const r of this.transfers.onTheWay) if (isHere(r)) return true;
    for (const waiting of this.inbound) if (waiting.some(isHere)) return true;
    return this.streamsTo(i).length > 0;
  }

  /** Prompts that are being computed elsewhere and have blocks reserved at i. */
  private streamsTo(i: number): number[] {
    if (this.streams === undefined) return [];
    const { requests, instances } = this.state;
    const found: number[] = [];
    for (const instance of instances) {
      for (let k = 0; k < instance.prefills; k++) {
        const r = instance.promptAt(k);
        if (requests.movingTo[r] === i) found.push(r);
      }
    }
    return found;
  }

  /**
   * Instance i is gone at t. What it held and had not handed over is lost; what was on its way to it is still where it came
   * from and is to be placed again.
   */
  lose(
    i: number,
    t: Ns,
  ): {
    readonly lost: readonly number[];
    readonly kvTokens: Tokens;
    readonly toPlaceAgain: readonly number[];
  } {
    const { requests, instances } = this.state;
    const lost: number[] = [];
    const toPlaceAgain: number[] = [];
    for (const r of this.transfers.onTheWay) {
      if (requests.heldBy[r] === i) {
        this.cancelReservation(r, t);
        lost.push(r);
      } else if (requests.movingTo[r] === i) {
        this.transfers.forget(r);
        toPlaceAgain.push(r);
      }
    }
    toPlaceAgain.push(...(this.inbound[i] ?? []));
    this.inbound[i] = [];
    for (let to = 0; to < this.inbound.length; to++) {
      const waiting = this.inbound[to] ?? [];
      lost.push(...waiting.filter((r) => requests.heldBy[r] === i));
      this.inbound[to] = waiting.filter((r) => requests.heldBy[r] !== i);
    }
    for (const r of [...this.unplaced]) {
      if (requests.heldBy[r] !== i) continue;
      this.unplaced.delete(r);
      lost.push(r);
    }
    for (const r of this.streamsTo(i)) this.transfers.forget(r);
    const gone = instances[i];
    for (let k = 0; k < (gone?.prefills ?? 0); k++) this.cancelReservation(gone?.promptAt(k) ?? -1, t);
    let kvTokens = 0;
    for (const r of lost) {
      kvTokens += this.transfers.contextOf(r);
      requests.shared[r] = 0;
      requests.own[r] = 0;
    }
    return { lost, kvTokens, toPlaceAgain: toPlaceAgain.filter((r) => requests.heldBy[r] !== i) };
  }

  /** Where r was to decode is gone: it stays where it is if it can, else it is placed elsewhere. */
  placeAgain(r: number, t: Ns): void {
    const { requests } = this.state;
    const holder = this.state.instance(requests.heldBy[r] ?? -1);
    if (this.chosenEarly !== undefined) this.chosenEarly[r] = -1;
    holder.advanceTo(t);
    if (holder.role === 'prefill') this.place(r, t);
    else {
      requests.heldBy[r] = -1;
      holder.receive(r, t);
    }
    this.scheduleWake(holder.index, t);
  }

  /** Places a computed prompt again whose decode instance was missing or gone. True where r was such a prompt. */
  retryPlace(r: number, t: Ns): boolean {
    if (!this.unplaced.delete(r)) return false;
    const holder = this.state.requests.heldBy[r] ?? -1;
    this.state.instance(holder).advanceTo(t);
    this.place(r, t);
    // Refused, it gave blocks back that others may have waited for.
    this.scheduleWake(holder, t);
    return true;
  }

  /** Gives back the blocks of a computed prompt that no instance will ever decode. */
  giveUp(r: number, t: Ns): boolean {
    if (!this.unplaced.delete(r)) return false;
    const holder = this.state.instance(this.state.requests.heldBy[r] ?? -1);
    holder.advanceTo(t);
    holder.releaseBlocks(r);
    this.state.requests.heldBy[r] = -1;
    this.scheduleWake(holder.index, t);
    return true;
  }
}
