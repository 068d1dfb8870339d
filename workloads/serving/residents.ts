import type { Blocks, Ns, Tokens } from '../units.ts';
import type { BatchState } from './batchState.ts';
import { Phase } from './requestTable.ts';
import type { SwapSpace } from './schedulers/swapSpace.ts';

/**
 * Moves requests between the queue and the batch of an instance, in from outside and out again:
 *
 *   submit  ─► waiting ─(admit)─► prompts ─► decoding ─► completed
 *                 ▲  preempt ◄────────┴─────────┤  ▲
 *                 └── recompute                 │  ├── swapped, back from the host
 *                                     detach ◄──┘  └── ready, from another instance
 */
export class Residents {
  private readonly state: BatchState;

  constructor(state: BatchState) {
    this.state = state;
  }

  /** A request arrives (or comes back) at t. */
  submit(r: number, t: Ns): void {
    const requests = this.state.requests;
    requests.phase[r] = Phase.waiting;
    requests.need[r] = (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0);
    this.state.queueChanges(t);
    if (this.state.waiting.length === 0 || this.state.scheduler.reorders) this.state.blocked = false;
    this.state.waiting.push(r);
    if (this.state.waiting.length > this.state.counters.queuePeak)
      this.state.counters.queuePeak = this.state.waiting.length;
    this.state.pendingPrefill += requests.need[r] ?? 0;
  }

  /** Takes back a request that waits here and was never scheduled; the instance was advanced to t. False where it was. */
  withdraw(r: number, t: Ns): boolean {
    const requests = this.state.requests;
    if (requests.phase[r] !== Phase.waiting || !Number.isNaN(requests.scheduledNs[r] ?? 0)) return false;
    this.state.queueChanges(t);
    if (!this.state.waiting.remove(r)) return false;
    this.state.pendingPrefill -= requests.need[r] ?? 0;
    this.state.blocked = false;
    return true;
  }

  /** Requests whose KV cache is in place join the batch. */
  joinReady(start: Ns): void {
    while (this.state.ready.length > 0 && this.state.batch.length < this.state.settings.maxSequences) {
      const r = this.state.ready.shift();
      this.state.batch.append(r);
      this.joinDecoding(r);
      const pause = start - (this.state.requests.lastTokenNs[r] ?? start);
      if (pause > 0) this.state.late.push(r, pause);
    }
  }

  /** Requests whose prefix has arrived from a lower tier join the batch, in order of admission. */
  joinFetched(start: Ns): void {
    const { requests } = this.state;
    const { blockIds } = requests.traffic;
    this.state.incoming.takeReady(start, (r, blocks) => {
      if (this.state.batch.length >= this.state.settings.maxSequences) return false;
      const from = requests.idsFrom(r);
      const held = requests.shared[r] ?? 0;
      for (let i = held; i < held + blocks; i++)
        this.state.pool.publish(blockIds[from + i] ?? -1, from + i, i);
      requests.shared[r] = held + blocks;
      requests.own[r] = (requests.own[r] ?? 0) - blocks;
      requests.heldBy[r] = -1;
      requests.phase[r] = Phase.prefilling;
      this.state.batch.append(r);
      this.state.prompts.push(r, 0);
      this.state.rows.batchChanged = true;
      return true;
    });
  }

  /** Swapped-out requests come back, in order, while the batch has room for them and for the next token of every sequence. */
  swapIn(swap: SwapSpace, start: Ns, lateBlocks: Blocks): void {
    const { pool, decode, requests } = this.state;
    while (swap.queue.length > 0 && this.state.batch.length < this.state.settings.maxSequences) {
      const r = swap.queue.at(0);
      const slots = (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0) - 1;
      const blocks = Math.ceil(slots / this.state.blockTokens);
      const next = decode.blocksNeeded + (slots % this.state.blockTokens === 0 ? 1 : 0);
      const spare = this.state.batch.length > 0 ? watermark(pool.total) : 0;
      if (blocks + next + spare > pool.available - lateBlocks) return;
      pool.take(blocks);
      pool.tables?.admit(r, requests.traffic.blockIds, requests.idsFrom(r), 0, blocks);
      requests.own[r] = blocks;
      this.state.batch.append(r);
      this.joinDecoding(r);
      const pause = start - (requests.lastTokenNs[r] ?? start);
      if (pause > 0) this.state.late.push(r, pause);
      const ns = swap.in(blocks);
      const { executor } = this.state.settings;
      // On a device the copy is reported when it has been made.
      if (executor === undefined)
        this.state.events.swapped(r, start, this.state, 'swap_in', blocks, blocks * swap.blockBytes, ns);
      else executor.swapsIn?.(r, [...(pool.tables?.of(r) ?? [])]);
    }
  }

  /** Publishes the prefix blocks of r that are computed at `at`: others can find them from now on. */
  publishComputed(r: number, computed: Tokens, at: Ns): void {
    const requests = this.state.requests;
    const traffic = requests.traffic;
    const from = requests.idsFrom(r);
    const ids = requests.idsTo(r) - from;
    const prompt = traffic.promptTokens[r] ?? 0;
    let shared = requests.shared[r] ?? 0;
    const before = shared;
    while (shared < ids && computed >= Math.min((shared + 1) * this.state.blockTokens, prompt)) {
      const id = traffic.blockIds[from + shared] ?? -1;
      this.state.pool.publish(id, from + shared, shared);
      this.state.pool.tables?.publish(r, shared, id);
      shared++;
    }
    requests.shared[r] = shared;
    requests.own[r] = (requests.own[r] ?? 0) - (shared - before);
    this.state.tiers?.computed(traffic.blockIds, from + before, from + shared, at);
  }

  /** The end of a prompt gives the next token (the first one, unless the request was preempted). */
  endPrompt(r: number, end: Ns): void {
    const requests = this.state.requests;
    const generated = (requests.generated[r] ?? 0) + 1;
    requests.generated[r] = generated;
    this.state.counters.outputTokensDone++;
    this.state.counters.prefillsDone++;
    if (generated === 1) {
      requests.firstTokenNs[r] = end;
      requests.prefillInstance[r] = this.state.index;
      requests.lastTokenNs[r] = end;
      this.state.events.firstToken(r, end, this.state);
    } else {
      const gap = end - (requests.lastTokenNs[r] ?? end);
      this.state.itlMs.add(gap / 1e6, 1);
      this.state.gaps?.add(r, gap);
      requests.lastTokenNs[r] = end;
    }
    if (generated === requests.traffic.outputTokens[r]) {
      this.state.batch.remove(r);
      this.state.freedBlocks += this.state.blocksOf(r);
      this.state.freedSequences++;
      this.releaseBlocks(r);
      this.end(r, end);
    } else if (this.state.asksWhereToDecode && (generated === 1 || this.state.role === 'prefill')) {
      // Asked once: a request that was preempted while decoding goes on where it was.
      this.state.batch.remove(r);
      requests.phase[r] = Phase.moving;
      requests.heldBy[r] = this.state.index;
      this.state.events.promptDone(r, end, this.state);
    } else {
      this.joinDecoding(r);
    }
  }

  finishDecoding(r: number, end: Ns): void {
    this.leaveDecoding(r, end);
    this.state.batch.remove(r);
    this.state.freedBlocks += this.state.blocksOf(r);
    this.state.freedSequences++;
    this.releaseBlocks(r);
    this.end(r, end);
  }

  end(r: number, end: Ns): void {
    this.state.requests.phase[r] = Phase.completed;
    this.state.requests.finishNs[r] = end;
    this.state.requests.decodeInstance[r] = this.state.index;
    this.state.counters.completed++;
    this.state.blocked = false;
    this.state.gaps?.finish(r);
    this.state.events.finished(r, end, this.state);
  }

  joinDecoding(r: number): void {
    this.state.requests.decodeInstance[r] = this.state.index;
    this.state.decode.join(r);
    this.state.rows.batchChanged = true;
  }

  /** Takes a sequence out of the decoding batch at the end of a pass, which gave it its last token. */
  leaveDecoding(r: number, at: Ns): void {
    this.state.gaps?.collect(r, this.state.decode.pass);
    this.state.decode.leave(r);
    this.state.requests.lastTokenNs[r] = at;
    this.state.rows.batchChanged = true;
  }

  /** Gives back all blocks of a request; what was published stays findable. */
  releaseBlocks(r: number): void {
    const requests = this.state.requests;
    const shared = requests.shared[r] ?? 0;
    const own = requests.own[r] ?? 0;
    this.state.settings.executor?.released?.(r);
    this.state.pool.tables?.release(r, shared);
    this.state.pool.give(own);
    if (shared > 0) this.state.pool.release(requests.traffic.blockIds, requests.idsFrom(r), shared);
    requests.shared[r] = 0;
    requests.own[r] = 0;
    this.state.blocked = false;
  }

  /** Takes the blocks of a request in the batch away, between two passes. */
  preempt(r: number, at: Ns): void {
    const requests = this.state.requests;
    if (r < 0) throw new Error(`instance ${this.state.index}: no blocks and no request to preempt`);
    const decoding = requests.phase[r] === Phase.decoding;
    if (decoding) {
      this.state.decode.finishes.remove(r);
      // It may go before its first pass here.
      this.state.late.remove(r);
      this.leaveDecoding(r, this.state.lastTokenOf(r));
      this.state.gaps?.keep(r);
      requests.need[r] = (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0);
    } else this.state.prompts.remove(r);
    const blocks = this.state.blocksOf(r);
    this.state.batch.remove(r);
    requests.preemptions[r] = (requests.preemptions[r] ?? 0) + 1;
    this.state.events.preempted(r, at, this.state, blocks);
    // A prompt that is not computed yet has little to save: it is always recomputed.
    if (decoding && this.state.swap?.take(blocks) === true) {
      const { swap, pool, settings, events } = this.state;
      settings.executor?.swapsOut?.(r, (pool.tables?.of(r) ?? []).slice(0, blocks));
      this.releaseBlocks(r);
      requests.phase[r] = Phase.swapped;
      const ns = swap.out(r, blocks);
      // On a device the copy is reported when it has been made.
      if (settings.executor === undefined)
        events.swapped(r, at, this.state, 'swap_out', blocks, blocks * swap.blockBytes, ns);
      return;
    }
    const computed = decoding ? (requests.need[r] ?? 0) - 1 : (requests.computed[r] ?? 0);
    this.state.pendingPrefill += decoding ? (requests.need[r] ?? 0) : computed;
    if (this.state.settings.keepsPreempted === true && requests.shared[r] === 0) {
      this.state.kept.keep(r, this.state.pool, blocks, computed);
    }
    this.releaseBlocks(r);
    requests.computed[r] = 0;
    requests.phase[r] = Phase.waiting;
    this.state.queueChanges(at);
    this.state.waiting.unshift(r);
    if (this.state.waiting.length > this.state.counters.queuePeak)
      this.state.counters.queuePeak = this.state.waiting.length;
  }

  /** Takes a decoding request out at the end of a pass (no pass in progress); its blocks stay until the KV cache has moved. */
  detach(r: number): void {
    this.state.decode.finishes.remove(r);
    this.leaveDecoding(r, this.state.lastTokenOf(r));
    this.state.gaps?.keep(r);
    this.state.batch.remove(r);
    this.state.requests.phase[r] = Phase.moving;
    this.state.requests.heldBy[r] = this.state.index;
    this.state.blocked = false;
  }

  /**
   * The instance is gone at t (it was advanced to t): the pass in progress gives nothing, KV cache, batch and queue are lost.
   * Returns its requests in order: the batch, requests about to join it, those with a prefix on its way, swapped-out ones, the queue. Generated tokens stay counted.
   */
  crash(t: Ns): { readonly requests: readonly number[]; readonly kvTokens: Tokens } {
    const { requests, decode } = this.state;
    const lost: number[] = [];
    let kvTokens = 0;
    this.state.rows.close(this.state.pool.used);
    this.state.rows.batchChanged = true;
    for (let r = this.state.batch.first; r >= 0; r = this.state.batch.first) {
      if (requests.phase[r] === Phase.decoding) {
        decode.finishes.remove(r);
        this.state.late.remove(r);
        this.leaveDecoding(r, this.state.lastTokenOf(r));
        this.state.gaps?.keep(r);
        kvTokens += (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0) - 1;
      } else {
        this.state.prompts.remove(r);
        kvTokens += requests.computed[r] ?? 0;
      }
      this.state.batch.remove(r);
      lost.push(r);
    }
    while (this.state.ready.length > 0) {
      const r = this.state.ready.shift();
      kvTokens += (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0) - 1;
      lost.push(r);
    }
    lost.push(...this.state.incoming.clear());
    for (const r of this.state.swap?.clear() ?? []) {
      kvTokens += (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0) - 1;
      lost.push(r);
    }
    this.state.queueChanges(t);
    while (this.state.waiting.length > 0) {
      lost.push(this.state.waiting.next(t));
      this.state.waiting.shift();
    }
    for (const r of lost) {
      requests.shared[r] = 0;
      requests.own[r] = 0;
      requests.computed[r] = 0;
    }
    this.state.pool.journal?.notBefore(t);
    this.state.pool.clear();
    this.state.tiers?.crashed(t);
    this.state.kept.clear();
    this.state.pendingPrefill = 0;
    this.state.freedBlocks = 0;
    this.state.freedSequences = 0;
    this.state.blocked = false;
    this.state.stalled = false;
    return { requests: lost, kvTokens };
  }

  /** The KV cache of r is in place (its blocks are this instance's): r joins the batch at the next pass. */
  receive(r: number): void {
    this.state.requests.phase[r] = Phase.ready;
    this.state.requests.decodeInstance[r] = this.state.index;
    this.state.ready.push(r);
  }
}

/** Blocks that vLLM V0 keeps back when it lets a request in beside others: watermark 0.01 of its block manager. */
export const watermark = (blocks: Blocks): Blocks => Math.ceil(0.01 * blocks);
