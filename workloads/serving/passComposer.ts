import type { IterationShape } from '../cost/costModel.ts';
import type { Blocks, Ns, Tokens } from '../units.ts';
import type { BatchState } from './batchState.ts';
import type { PassPlan } from './passPlan.ts';
import { Phase, type RequestTable } from './requestTable.ts';
import { type Residents, watermark } from './residents.ts';

/** Puts a pass together: a scheduler (`schedulers/`) decides, in `compose`, which of the steps below are taken and in which order. */
export class PassComposer {
  private readonly state: BatchState;
  private readonly residents: Residents;
  private readonly shape: IterationShape;
  /** What the pass before frees at its end and this pass, planned ahead, cannot use yet; and up to when arrivals are known. */
  private lateBlocks: Blocks = 0;
  private lateSequences = 0;
  private known: Ns = 0;
  /** The block is in the pool; made once, since every admission asks. */
  private readonly inPool = (id: number): boolean => this.state.pool.has(id);
  private readonly now: { readonly decoding: number; readonly decodePassNs: Ns };

  constructor(state: BatchState, residents: Residents, plan: PassPlan) {
    this.state = state;
    this.residents = residents;
    this.shape = plan.shape;
    this.now = {
      get decoding() {
        return state.decode.count;
      },
      get decodePassNs() {
        return state.counters.decodePassNs;
      },
    };
  }

  /** Fills the shape of the pass that starts at `start`; false where no request can run. */
  compose(start: Ns): boolean {
    const { state, residents, shape } = this;
    const { pool, decode, scheduler, swap, settings } = state;
    residents.joinReady(start);

    const ahead = settings.plansAhead === true && start === state.endedNs && state.batch.length > 0;
    this.lateBlocks = ahead ? state.freedBlocks : 0;
    this.lateSequences = ahead ? state.freedSequences : 0;
    this.known = ahead ? state.plannedNs : start;
    state.freedBlocks = 0;
    state.freedSequences = 0;
    if (swap !== undefined) residents.swapIn(swap, start, this.lateBlocks);

    if (state.incoming.length > 0) residents.joinFetched(start);
    state.technique?.plan();
    shape.prefillTokens = 0;
    shape.prefillPairs = 0;
    shape.prefillContextTokens = 0;
    shape.prefillEnds = 0;
    state.decodes = true;
    state.blocked = false;
    const preempted = scheduler.compose(this, start);
    if (scheduler.ages) state.blocked = false;

    state.counters.blocksUsed(pool.used);
    state.tiers?.handDown(start);
    if (decode.count === 0 && shape.prefillTokens === 0) {
      // The whole batch was preempted: its blocks are free now, so a waiting request may have them at once.
      return preempted && this.compose(start);
    }
    shape.prefillSequences = state.prompts.length;
    shape.decodeSequences = state.decodes ? decode.count : 0;
    shape.decodeContextTokens = state.decodes ? decode.context : 0;
    if (settings.cost.needsRequest === true)
      shape.request = state.prompts.length > 0 ? state.prompts.at(0) : -1;
    if (settings.cost.needsLongest === true) shape.decodeLongestTokens = decode.longest(state.batch.first);
    state.plannedNs = start;
    return true;
  }

  // ── What a scheduler sees ─────────────────────────────────────────────────────────────────────

  get requests(): RequestTable {
    return this.state.requests;
  }

  /** Token budget of a pass. */
  get maxBatchedTokens(): Tokens {
    return this.state.settings.maxBatchedTokens;
  }

  /** Tokens of that budget that the decoding sequences take. */
  get decodeTokens(): Tokens {
    return this.state.decode.count * this.state.decode.width;
  }

  /** Decoding sequences, and the tokens of context that they attend to together. */
  get decoding(): number {
    return this.state.decode.count;
  }

  get decodeContext(): Tokens {
    return this.state.decode.context;
  }

  /** Prompts in the batch. */
  get prefills(): number {
    return this.state.prompts.length;
  }

  /** Requests whose KV cache is in host memory. */
  get swapped(): number {
    return this.state.swapped;
  }

  /** The oldest request in the batch; `runAfter` of the request table leads to the rest. −1 where it is empty. */
  get firstRunning(): number {
    return this.state.batch.first;
  }

  get lastRunning(): number {
    return this.state.batch.last;
  }

  // ── Steps of which a scheduler makes a pass ───────────────────────────────────────────────────

  /** Blocks for the next token of each decoding sequence; true where someone had to go for them. */
  takeDecodeBlocks(start: Ns): boolean {
    const { lateBlocks } = this;
    const { pool, decode } = this.state;
    let preempted = false;
    let blocks = decode.blocksNeeded;
    while (blocks > pool.available - lateBlocks && (this.state.batch.length > 1 || blocks > pool.available)) {
      this.residents.preempt(this.state.scheduler.victim(this), start);
      preempted = true;
      blocks = decode.blocksNeeded;
    }
    if (blocks > 0) {
      pool.take(blocks);
      decode.blocksTaken();
    }
    return preempted;
  }

  /** Shares `budget` tokens out among the prompts in the batch, in order of admission; what is left of it. */
  continuePrompts(budget: Tokens): Tokens {
    const { requests, prompts } = this.state;
    let left = budget;
    for (let i = 0; i < prompts.length; i++) {
      const r = prompts.at(i);
      const done = requests.computed[r] ?? 0;
      const missing = (requests.need[r] ?? 0) - done;
      const take = Math.max(0, Math.min(missing, left));
      prompts.setTokens(i, take);
      left -= take;
      this.addChunk(done, take, take === missing);
    }
    return left;
  }

  private addChunk(done: Tokens, take: Tokens, ends: boolean): void {
    const { shape } = this;
    shape.prefillTokens += take;
    shape.prefillPairs += take * done + (take * (take + 1)) / 2;
    if (take > 0) shape.prefillContextTokens += done + take;
    if (ends) shape.prefillEnds++;
  }

  /**
   * Admits waiting requests in order while `budget` tokens, sequences and blocks last; the last prompt is cut to what is
   * left of the budget or, with `whole`, left out unless it is alone.
   */
  admit(start: Ns, budget: Tokens, whole: boolean): void {
    const { lateBlocks, lateSequences } = this;
    const { requests, pool, waiting } = this.state;
    const { traffic } = requests;
    let left = budget;
    while (waiting.length > 0) {
      if (left <= 0) {
        this.state.blocked = this.shape.prefillTokens === 0;
        return;
      }
      if (
        this.state.batch.length + this.state.incoming.length + lateSequences >=
        this.state.settings.maxSequences
      ) {
        this.state.blocked = lateSequences === 0;
        return;
      }
      const r = waiting.next(start);
      if ((traffic.arrivalNs[r] ?? 0) > this.known) return;
      const need = requests.need[r] ?? 0;
      const from = requests.idsFrom(r);
      const ids = requests.idsTo(r) - from;
      const hit = this.state.reuse ? pool.match(traffic.blockIds, from, from + ids) : 0;
      const fresh = Math.ceil(need / this.state.blockTokens) - hit;
      const idle = hit === 0 ? 0 : pool.idleAmong(traffic.blockIds, from, hit);
      const spare = whole && this.state.batch.length > 0 ? watermark(pool.total) : 0;
      if (fresh + idle > pool.available - lateBlocks - spare) {
        this.state.blocked = lateBlocks === 0;
        return;
      }
      if (
        whole &&
        this.state.prompts.length > 0 &&
        need - Math.min(hit * this.state.blockTokens, need - 1) > left
      )
        return;
      this.state.queueChanges(start);
      waiting.shift();
      const first = Number.isNaN(requests.scheduledNs[r] ?? 0);
      const coming =
        this.state.tiers === undefined || !this.state.reuse || hit === ids
          ? 0
          : this.state.tiers.fetch(
              {
                request: r,
                ids: traffic.blockIds,
                from: from + hit,
                to: from + ids,
                done: Math.min(hit * this.state.blockTokens, need - 1),
                need,
                first,
              },
              start,
              this.now,
              this.inPool,
            );
      const kept =
        hit === 0 && coming === 0 ? this.state.kept.take(r, pool, need, this.state.blockTokens) : 0;
      pool.reserve(traffic.blockIds, from, this.state.reuse ? from + ids : from, hit, fresh);
      pool.tables?.admit(r, traffic.blockIds, from, hit, hit + fresh);
      pool.taken -= kept;
      requests.shared[r] = hit;
      requests.own[r] = fresh;
      const cached = Math.min((hit + kept + coming) * this.state.blockTokens, need - 1);
      requests.computed[r] = cached;
      this.state.pendingPrefill -= cached;
      if (first) {
        requests.scheduledNs[r] = start;
        requests.cachedTokens[r] = cached;
        requests.prefillInstance[r] = this.state.index;
        this.state.counters.blockRefs += ids;
        this.state.counters.hits += hit + coming;
      }
      if (coming > 0) {
        requests.phase[r] = Phase.moving;
        requests.heldBy[r] = this.state.index;
        this.state.incoming.push(r, coming, Math.max(this.state.tiers?.readyNs ?? 0, start + 1));
        continue;
      }
      requests.phase[r] = Phase.prefilling;
      this.state.batch.append(r);
      const take = whole ? need - cached : Math.min(need - cached, left);
      this.state.prompts.push(r, take);
      this.state.rows.batchChanged = true;
      left -= take;
      this.addChunk(cached, take, take === need - cached);
    }
  }

  /** The pass that is being put together leaves the decoding sequences out. */
  stallDecoding(): void {
    this.state.decodes = false;
    if (this.state.decode.count > 0) this.state.stalled = true;
  }

  /** The next pass gives the decoding sequences a token again; their gaps reach back to the one before. */
  resumeDecoding(start: Ns): void {
    if (!this.state.stalled) return;
    this.state.stalled = false;
    this.state.late.clear();
    const { requests } = this.state;
    for (let r = this.state.batch.first; r >= 0; r = requests.runAfter[r] ?? -1) {
      if (requests.phase[r] !== Phase.decoding) continue;
      const pause = start - this.state.lastTokenOf(r);
      if (pause > 0) this.state.late.push(r, pause);
    }
  }
}
