import type { Blocks, Ns, Tokens } from '../units.ts';
import { InstanceState } from './instanceState.ts';
import { Phase } from './requestTable.ts';
import type { SwapSpace } from './schedulers/swapSpace.ts';

/**
 * How requests come to an instance, move between its queue and its batch, and leave it again:
 *
 *   submit  ─► waiting ─(admit)─► prompts ─► decoding ─► completed
 *                 ▲  preempt ◄────────┴─────────┤  ▲
 *                 └── recompute                 │  ├── swapped, back from the host
 *                                     detach ◄──┘  └── ready, from another instance
 */
export abstract class InstanceResidents extends InstanceState {
  /** A request arrives (or comes back) at t; the instance was advanced to t. */
  submit(r: number, t: Ns): void {
    const requests = this.requests;
    requests.phase[r] = Phase.waiting;
    requests.need[r] = (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0);
    this.queueChanges(t);
    if (this.waiting.length === 0 || this.scheduler.reorders) this.blocked = false;
    this.waiting.push(r);
    if (this.waiting.length > this.queuePeak) this.queuePeak = this.waiting.length;
    this.pendingPrefill += requests.need[r] ?? 0;
    if (!this.flying) this.now = Math.max(this.now, t);
  }

  /** Takes back a request that waits here and was never scheduled; the instance was advanced to t. False where it was. */
  withdraw(r: number, t: Ns): boolean {
    const requests = this.requests;
    if (requests.phase[r] !== Phase.waiting || !Number.isNaN(requests.scheduledNs[r] ?? 0)) return false;
    this.queueChanges(t);
    if (!this.waiting.remove(r)) return false;
    this.pendingPrefill -= requests.need[r] ?? 0;
    this.blocked = false;
    return true;
  }

  /** Requests whose KV cache is in place join the batch. */
  protected joinReady(start: Ns): void {
    while (this.ready.length > 0 && this.batch.length < this.settings.maxSequences) {
      const r = this.ready.shift();
      this.batch.append(r);
      this.joinDecoding(r);
      const pause = start - (this.requests.lastTokenNs[r] ?? start);
      if (pause > 0) this.late.push(r, pause);
    }
  }

  /** Requests whose prefix has arrived from a lower tier join the batch, in order of admission. */
  protected joinFetched(start: Ns): void {
    const { requests } = this;
    const { blockIds } = requests.traffic;
    this.incoming.takeReady(start, (r, blocks) => {
      if (this.batch.length >= this.settings.maxSequences) return false;
      const from = requests.idsFrom(r);
      const held = requests.shared[r] ?? 0;
      for (let i = held; i < held + blocks; i++) this.pool.publish(blockIds[from + i] ?? -1, from + i, i);
      requests.shared[r] = held + blocks;
      requests.own[r] = (requests.own[r] ?? 0) - blocks;
      requests.heldBy[r] = -1;
      requests.phase[r] = Phase.prefilling;
      this.batch.append(r);
      this.prompts.push(r, 0);
      this.rows.batchChanged = true;
      return true;
    });
  }

  /** Swapped-out requests come back, in order, while the batch has room for them and for the next token of every sequence. */
  protected swapIn(swap: SwapSpace, start: Ns): void {
    const { pool, decode, requests } = this;
    while (swap.queue.length > 0 && this.batch.length < this.settings.maxSequences) {
      const r = swap.queue.at(0);
      const slots = (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0) - 1;
      const blocks = Math.ceil(slots / this.blockTokens);
      const next = decode.blocksNeeded + (slots % this.blockTokens === 0 ? 1 : 0);
      const spare = this.batch.length > 0 ? watermark(pool.total) : 0;
      if (blocks + next + spare > pool.available - this.lateBlocks) return;
      pool.take(blocks);
      pool.tables?.admit(r, requests.traffic.blockIds, requests.idsFrom(r), 0, blocks);
      requests.own[r] = blocks;
      this.batch.append(r);
      this.joinDecoding(r);
      const pause = start - (requests.lastTokenNs[r] ?? start);
      if (pause > 0) this.late.push(r, pause);
      const ns = swap.in(blocks);
      // On a device the copy is reported when it has been made.
      if (this.settings.executor === undefined) this.events.swapped(r, start, this, 'swap_in', blocks, ns);
      else this.swapsIn(r);
    }
  }

  /** The executor copies the KV cache of r to host memory, or back. */
  protected abstract swapsOut(r: number, blocks: Blocks): void;
  protected abstract swapsIn(r: number): void;

  protected publishComputed(r: number, computed: Tokens): void {
    const requests = this.requests;
    const traffic = requests.traffic;
    const from = requests.idsFrom(r);
    const ids = requests.idsTo(r) - from;
    const prompt = traffic.promptTokens[r] ?? 0;
    let shared = requests.shared[r] ?? 0;
    const before = shared;
    while (shared < ids && computed >= Math.min((shared + 1) * this.blockTokens, prompt)) {
      const id = traffic.blockIds[from + shared] ?? -1;
      this.pool.publish(id, from + shared, shared);
      this.pool.tables?.publish(r, shared, id);
      shared++;
    }
    requests.shared[r] = shared;
    requests.own[r] = (requests.own[r] ?? 0) - (shared - before);
    this.tiers?.computed(traffic.blockIds, from + before, from + shared, this.now);
  }

  /** The end of a prompt gives the next token (the first one, unless the request was preempted). */
  protected endPrompt(r: number, end: Ns): void {
    const requests = this.requests;
    const generated = (requests.generated[r] ?? 0) + 1;
    requests.generated[r] = generated;
    this.outputTokensDone++;
    this.prefillsDone++;
    if (generated === 1) {
      requests.firstTokenNs[r] = end;
      requests.prefillInstance[r] = this.index;
      requests.lastTokenNs[r] = end;
      this.events.firstToken(r, end, this);
    } else {
      const gap = end - (requests.lastTokenNs[r] ?? end);
      this.itlMs.add(gap / 1e6, 1);
      this.gaps?.add(r, gap);
      requests.lastTokenNs[r] = end;
    }
    if (generated === requests.traffic.outputTokens[r]) {
      this.batch.remove(r);
      this.freedBlocks += this.blocksOf(r);
      this.freedSequences++;
      this.releaseBlocks(r);
      this.end(r, end);
    } else if (this.asksWhereToDecode && (generated === 1 || this.role === 'prefill')) {
      // Asked once: a request that was preempted while decoding goes on where it was.
      this.batch.remove(r);
      requests.phase[r] = Phase.moving;
      requests.heldBy[r] = this.index;
      this.events.promptDone(r, end, this);
    } else {
      this.joinDecoding(r);
    }
  }

  protected finishDecoding(r: number, end: Ns): void {
    this.leaveDecoding(r, end);
    this.batch.remove(r);
    this.freedBlocks += this.blocksOf(r);
    this.freedSequences++;
    this.releaseBlocks(r);
    this.end(r, end);
  }

  protected end(r: number, end: Ns): void {
    this.requests.phase[r] = Phase.completed;
    this.requests.finishNs[r] = end;
    this.requests.decodeInstance[r] = this.index;
    this.completed++;
    this.blocked = false;
    this.gaps?.finish(r);
    this.events.finished(r, end, this);
  }

  protected joinDecoding(r: number): void {
    this.requests.decodeInstance[r] = this.index;
    this.decode.join(r);
    this.rows.batchChanged = true;
  }

  /** Takes a sequence out of the decoding batch at the end of a pass, which gave it its last token. */
  protected leaveDecoding(r: number, at: Ns): void {
    this.gaps?.collect(r, this.decode.pass);
    this.decode.leave(r);
    this.requests.lastTokenNs[r] = at;
    this.rows.batchChanged = true;
  }

  /** Gives back all blocks of a request; what was published stays findable. */
  releaseBlocks(r: number): void {
    const requests = this.requests;
    const shared = requests.shared[r] ?? 0;
    const own = requests.own[r] ?? 0;
    this.settings.executor?.released?.(r);
    this.pool.tables?.release(r, shared);
    this.pool.give(own);
    if (shared > 0) this.pool.release(requests.traffic.blockIds, requests.idsFrom(r), shared);
    requests.shared[r] = 0;
    requests.own[r] = 0;
    this.blocked = false;
  }

  /** Blocks were freed by others: the request at the head of the queue may be admitted now. */
  unblock(): void {
    this.blocked = false;
  }

  /** Takes the blocks of a request in the batch away, between two passes. */
  protected preempt(r: number, at: Ns): void {
    const requests = this.requests;
    if (r < 0) throw new Error(`instance ${this.index}: no blocks and no request to preempt`);
    const decoding = requests.phase[r] === Phase.decoding;
    if (decoding) {
      this.decode.finishes.remove(r);
      // It may go before its first pass here.
      this.late.remove(r);
      this.leaveDecoding(r, this.lastTokenOf(r));
      this.gaps?.keep(r);
      requests.need[r] = (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0);
    } else this.prompts.remove(r);
    const blocks = this.blocksOf(r);
    this.batch.remove(r);
    requests.preemptions[r] = (requests.preemptions[r] ?? 0) + 1;
    this.events.preempted(r, at, this, blocks);
    // A prompt that is not computed yet has little to save: it is always recomputed.
    if (decoding && this.swap?.take(blocks) === true) {
      if (this.settings.executor !== undefined) this.swapsOut(r, blocks);
      this.releaseBlocks(r);
      requests.phase[r] = Phase.swapped;
      const ns = this.swap.out(r, blocks);
      if (this.settings.executor === undefined) this.events.swapped(r, at, this, 'swap_out', blocks, ns);
      return;
    }
    const computed = decoding ? (requests.need[r] ?? 0) - 1 : (requests.computed[r] ?? 0);
    this.pendingPrefill += decoding ? (requests.need[r] ?? 0) : computed;
    if (this.settings.keepsPreempted === true && requests.shared[r] === 0) {
      this.kept.keep(r, this.pool, blocks, computed);
    }
    this.releaseBlocks(r);
    requests.computed[r] = 0;
    requests.phase[r] = Phase.waiting;
    this.queueChanges(at);
    this.waiting.unshift(r);
    if (this.waiting.length > this.queuePeak) this.queuePeak = this.waiting.length;
  }

  /** Takes a decoding request out at the end of a pass (no pass in progress); its blocks stay until the KV cache has moved. */
  detach(r: number): void {
    this.decode.finishes.remove(r);
    this.leaveDecoding(r, this.lastTokenOf(r));
    this.gaps?.keep(r);
    this.batch.remove(r);
    this.requests.phase[r] = Phase.moving;
    this.requests.heldBy[r] = this.index;
    this.blocked = false;
  }

  /**
   * The instance is gone at t (it was advanced to t): the pass in progress gives nothing, KV cache, batch and queue are lost.
   * Returns its requests in order: the batch, requests about to join it, those with a prefix on its way, swapped-out ones, the queue. Generated tokens stay counted.
   */
  crash(t: Ns): { readonly requests: readonly number[]; readonly kvTokens: Tokens } {
    const { requests, decode } = this;
    const lost: number[] = [];
    let kvTokens = 0;
    if (this.flying) this.busyNs += t - this.startNs;
    this.flying = false;
    this.rows.close(this.pool.used);
    this.rows.batchChanged = true;
    for (let r = this.batch.first; r >= 0; r = this.batch.first) {
      if (requests.phase[r] === Phase.decoding) {
        decode.finishes.remove(r);
        this.late.remove(r);
        this.leaveDecoding(r, this.lastTokenOf(r));
        this.gaps?.keep(r);
        kvTokens += (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0) - 1;
      } else {
        this.prompts.remove(r);
        kvTokens += requests.computed[r] ?? 0;
      }
      this.batch.remove(r);
      lost.push(r);
    }
    while (this.ready.length > 0) {
      const r = this.ready.shift();
      kvTokens += (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0) - 1;
      lost.push(r);
    }
    lost.push(...this.incoming.clear());
    for (const r of this.swap?.clear() ?? []) {
      kvTokens += (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0) - 1;
      lost.push(r);
    }
    this.queueChanges(t);
    while (this.waiting.length > 0) {
      lost.push(this.waiting.next(t));
      this.waiting.shift();
    }
    for (const r of lost) {
      requests.shared[r] = 0;
      requests.own[r] = 0;
      requests.computed[r] = 0;
    }
    this.pool.journal?.notBefore(t);
    this.pool.clear();
    this.tiers?.crashed(t);
    this.kept.clear();
    this.pendingPrefill = 0;
    this.freedBlocks = 0;
    this.freedSequences = 0;
    this.blocked = false;
    this.stalled = false;
    this.now = t;
    this.pausedUntil = 0;
    return { requests: lost, kvTokens };
  }

  /** The KV cache of r is in place (its blocks are this instance's): r joins the batch at the next pass. */
  receive(r: number, t: Ns): void {
    this.requests.phase[r] = Phase.ready;
    this.requests.decodeInstance[r] = this.index;
    if (!this.flying) this.now = Math.max(this.now, t);
    this.ready.push(r);
  }
}

/** Blocks that vLLM V0 keeps back when it lets a request in beside others: watermark 0.01 of its block manager. */
export const watermark = (blocks: Blocks): Blocks => Math.ceil(0.01 * blocks);
