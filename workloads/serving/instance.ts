import type { PoolRole } from '../harness/spec.ts';
import type { Sketch } from '../metrics/sketch.ts';
import {
  type CostModel,
  type DecodeLine,
  IterationShape,
  type IterationWork,
  wholeNs,
} from '../sim/costModel.ts';
import type { Blocks, Ns, Tokens } from '../units.ts';
import type { Coupling } from './coupling.ts';
import { DecodeBatch } from './decodeBatch.ts';
import type { InstanceEvents, InstanceSettings } from './instanceSettings.ts';
import { IntQueue } from './intQueue.ts';
import { KeptBlocks } from './keptBlocks.ts';
import { KvPool } from './kvPool.ts';
import { PassRows } from './passRows.ts';
import { Pauses } from './pauses.ts';
import { PromptBatch } from './promptBatch.ts';
import { Phase, type RequestTable } from './requestTable.ts';
import { RunningList } from './runningList.ts';
import { ChunkedPrefill } from './schedulers/chunkedPrefill.ts';
import type { Scheduler, WaitingQueue } from './schedulers/scheduler.ts';
import type { SwapSpace } from './schedulers/swapSpace.ts';
import type { DecodeTechnique } from './techniques/decodeTechnique.ts';
import { Incoming } from './tiers/incoming.ts';
import type { InstanceTiers } from './tiers/instanceTiers.ts';
import type { NodeClock } from './tiers/nodeClock.ts';
import { TokenGaps } from './tokenGaps.ts';

/**
 * One model replica with continuous batching: the batch, its KV blocks and its clock. What a pass holds is the scheduler's
 * business (`schedulers/`), which puts it together out of the steps here: blocks for the decoding sequences, chunks for the
 * prompts in the batch, admission.
 *
 * The instance is advanced lazily: `advanceTo(t)` runs every pass that starts before t, and passes with the same batch in
 * one loop (`runDecodePasses`).
 */
export class Instance {
  readonly settings: InstanceSettings;
  readonly index: number;
  /** The pool it works for; changes only while it holds nothing. */
  role: PoolRole;
  /** After each prompt someone else says where to decode. */
  asksWhereToDecode: boolean;
  readonly pool: KvPool;
  readonly cost: CostModel;
  readonly requests: RequestTable;
  protected readonly events: InstanceEvents;
  protected readonly itlMs: Sketch;
  private readonly blockTokens: number;
  private readonly reuse: boolean;

  /** End of the last pass, or when the instance was last found without work. */
  now: Ns = 0;
  /** A pass is in progress from startNs to endNs. */
  flying = false;
  startNs: Ns = 0;
  endNs: Ns = 0;
  /** No pass starts before this time: the engine waits for a transfer. */
  pausedUntil: Ns = 0;

  readonly scheduler: Scheduler;
  readonly waiting: WaitingQueue;
  /** Moved here, KV cache in place, not yet in the batch. */
  readonly ready = new IntQueue();
  /** Admitted, prefix on its way up from a lower tier, not yet in the batch. */
  readonly incoming = new Incoming();
  readonly tiers: InstanceTiers | undefined;
  /** Advances this instance and those that it shares tiers with. */
  nodeClock: NodeClock | undefined = undefined;
  private readonly prompts = new PromptBatch();
  private readonly decode: DecodeBatch;
  readonly technique: DecodeTechnique | undefined;
  /** Sequences in the batch, prompts included. */
  protected readonly batch: RunningList;
  private readonly late = new Pauses();
  private readonly kept = new KeptBlocks();
  protected readonly rows: PassRows;
  /** Prompt tokens that wait or are in the batch and not yet computed. */
  pendingPrefill: Tokens = 0;
  /** The first waiting request cannot be admitted until something ends. */
  private blocked = false;
  private readonly swap: SwapSpace | undefined;
  /** The pass gives the decoding sequences a token; false where they stand still for prompts. */
  private decodes = true;
  /** Passes without them went by since the decoding sequences got their last token, which was at `decodedNs`. */
  private stalled = false;
  private decodedNs: Ns = 0;
  protected readonly gaps: TokenGaps | undefined;

  /** Planning ahead: start of the last pass, and what its end freed. */
  private plannedNs: Ns = 0;
  private freedBlocks: Blocks = 0;
  private freedSequences = 0;
  /** Of the pass that is being put together: what is freed but not yet known to be, and up to when arrivals are known. */
  private lateBlocks: Blocks = 0;
  private lateSequences = 0;
  private known: Ns = 0;

  /** Others whose passes this one's depend on; most instances have none. */
  coupling: Coupling | undefined;
  readonly shape = new IterationShape();
  protected readonly line: DecodeLine = { baseNs: 0, perContextTokenNs: 0 };
  protected lineFor = -1;
  protected straight = false;
  protected readonly workOut: IterationWork = { flops: 0, bytes: 0 };

  // Counters of the whole run.
  busyNs: Ns = 0;
  passesDone = 0;
  flops = 0;
  bytes = 0;
  promptTokensDone: Tokens = 0;
  outputTokensDone: Tokens = 0;
  prefillsDone = 0;
  completed = 0;
  blockRefs = 0;
  hits = 0;
  peakUsed: Blocks = 0;
  queuePeak = 0;
  private queueIntegral = 0;
  private queueSince: Ns = 0;
  /** Exponentially weighted over passes at least a quarter full of prompt tokens, tokens/s; NaN before the first. */
  prefillRate = Number.NaN;
  /** Last pass with decoding sequences. */
  decodePassNs: Ns = Number.NaN;

  constructor(settings: InstanceSettings, requests: RequestTable, events: InstanceEvents, itlMs: Sketch) {
    this.settings = settings;
    this.index = settings.index;
    this.role = settings.role;
    this.asksWhereToDecode = settings.asksWhereToDecode;
    this.cost = settings.cost;
    this.pool = settings.pool ?? new KvPool(settings.kvBlocks);
    this.requests = requests;
    this.events = events;
    this.itlMs = itlMs;
    this.blockTokens = settings.blockTokens;
    this.reuse = settings.prefixReuse;
    this.batch = new RunningList(requests);
    const capacity = Math.min(settings.maxSequences, 64);
    this.technique = settings.technique?.({
      requests,
      running: this.batch,
      prompts: this.prompts,
      blockTokens: settings.blockTokens,
      capacity,
    });
    this.decode = this.technique?.batch ?? new DecodeBatch(requests, settings.blockTokens, capacity);
    this.rows = new PassRows(this, events);
    this.gaps = settings.withoutGaps === true ? undefined : new TokenGaps(requests);
    this.scheduler = settings.scheduler ?? new ChunkedPrefill();
    this.waiting = this.scheduler.waiting;
    this.swap = this.scheduler.swap;
    this.tiers = settings.tiers;
    if (settings.tiers !== undefined) this.pool.evicted = settings.tiers.evicted;
  }

  /** Prompts in the batch. */
  get prefills(): number {
    return this.prompts.length;
  }

  /** Sequences in the batch, prompts included. */
  get running(): number {
    return this.batch.length;
  }

  /** The block is in the pool; made once, since every admission asks. */
  private readonly inPool = (id: number): boolean => this.pool.has(id);

  get decoding(): number {
    return this.decode.count;
  }

  get decodeContext(): Tokens {
    return this.decode.context;
  }

  /** The oldest request in the batch; follow `runAfter` of the request table for the rest. −1 where empty. */
  get firstRunning(): number {
    return this.batch.first;
  }

  get lastRunning(): number {
    return this.batch.last;
  }

  /** Requests whose KV cache is in host memory. */
  get swapped(): number {
    return this.swap === undefined ? 0 : this.swap.queue.length;
  }

  /** Tokens that the decoding sequences take of the budget of a pass. */
  get decodeTokens(): Tokens {
    return this.decode.count * this.decode.width;
  }

  /** A pass is in progress that gives the decoding sequences a token: their blocks for it are taken. */
  get decodingNow(): boolean {
    return this.flying && this.decodes;
  }

  /** The i-th prompt of the batch, i < prefills, and how much of it the pass in progress computes. */
  promptAt(i: number): number {
    return this.prompts.at(i);
  }
  chunkAt(i: number): Tokens {
    return this.prompts.tokensAt(i);
  }

  /** Tokens that a decoding sequence has produced by now. */
  generatedSoFar(r: number): Tokens {
    return this.decode.generated(r);
  }

  /** Blocks of its own that a decoding sequence holds. */
  ownBlocks(r: number): Blocks {
    return this.decode.ownBlocks(r, this.decodingNow);
  }

  /** Requests here that are not finished: waiting, in the batch, or arrived and about to join it. */
  get outstanding(): number {
    return this.waiting.length + this.batch.length + this.ready.length + this.incoming.length + this.swapped;
  }

  /** Time with a pass in progress, up to t ≥ now. */
  busyUntil(t: Ns): Ns {
    return this.busyNs + (this.flying ? Math.min(t, this.endNs) - this.startNs : 0);
  }

  /** Integral of the queue length over time, request-ns. */
  queueUntil(t: Ns): number {
    return this.queueIntegral + this.waiting.length * (t - this.queueSince);
  }

  protected queueChanges(t: Ns): void {
    this.queueIntegral += this.waiting.length * (t - this.queueSince);
    this.queueSince = t;
  }

  /** A request arrives (or comes back) at t; the instance was advanced to t. */
  enqueue(r: number, t: Ns): void {
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

  /** Runs every pass that starts before t; one that ends later stays in progress. */
  advanceTo(t: Ns): void {
    if (this.coupling !== undefined) this.coupling.advanceTo(t);
    else if (this.nodeClock !== undefined) this.nodeClock.advanceTo(t);
    else this.run(t, false);
  }

  /** Runs passes up to t, but stops before one that may look at what instances share; when that is, Infinity where none is. */
  runQuietly(t: Ns): Ns {
    return this.run(t, true);
  }

  /** Starts the pass before which `runQuietly` stopped. */
  goOn(t: Ns): void {
    this.begin(this.now);
    if (!this.flying) this.now = Math.min(t, this.incoming.nextAfter(this.now));
  }

  /**
   * The next pass may admit requests, or take blocks away from some: both may look at the tiers. Who could not be admitted
   * before (`blocked`) may be now, where a prefix was published meanwhile.
   */
  private get looksAround(): boolean {
    return this.waiting.length > 0 || this.decode.blocksNeeded > this.pool.available;
  }

  private run(t: Ns, quietly: boolean): Ns {
    for (;;) {
      if (!this.flying) {
        if (this.now >= t || this.outstanding === 0) return Number.POSITIVE_INFINITY;
        if (quietly && this.looksAround) return this.now;
        this.begin(this.now);
        if (!this.flying) {
          // Work is waiting for a prefix on its way, or for blocks that others hold: nothing can start before that changes.
          this.now = Math.min(t, this.incoming.nextAfter(this.now));
          continue;
        }
      }
      if (this.endNs > t) return Number.POSITIVE_INFINITY;
      if (
        this.prompts.length === 0 &&
        this.late.length === 0 &&
        this.straight &&
        this.ready.length === 0 &&
        this.incoming.length === 0 &&
        (this.waiting.length === 0 || this.blocked) &&
        this.swapped === 0
      ) {
        this.runDecodePasses(t);
      } else {
        this.complete();
      }
    }
  }

  /** For a coupling: starts a pass, where anyone can run; the caller says when. */
  startPass(start: Ns): void {
    this.now = start;
    this.begin(start);
  }

  /** For a coupling: the pass in progress ends at `endNs`. */
  endPass(): void {
    this.complete();
  }

  /** Starts a pass at t where there is work: used where passes are events of their own. */
  startAt(t: Ns): void {
    if (this.flying || this.outstanding === 0) return;
    if (this.coupling !== undefined) {
      this.coupling.startAt(t);
      return;
    }
    this.now = Math.max(this.now, t, this.pausedUntil);
    if (this.now === t) this.begin(t);
  }

  /** No pass starts before `until`; one in progress goes on. */
  pause(until: Ns): void {
    this.pausedUntil = Math.max(this.pausedUntil, until);
    if (!this.flying) this.now = Math.max(this.now, until);
  }

  /** Puts the pass together that starts at `start`, and starts it; nothing happens where no one can run. */
  protected begin(start: Ns): void {
    const { shape, pool, decode, scheduler, swap } = this;
    this.joinReady(start);

    const ahead = this.settings.plansAhead === true && start === this.endNs && this.batch.length > 0;
    this.lateBlocks = ahead ? this.freedBlocks : 0;
    this.lateSequences = ahead ? this.freedSequences : 0;
    this.known = ahead ? this.plannedNs : start;
    this.freedBlocks = 0;
    this.freedSequences = 0;
    if (swap !== undefined) this.swapIn(swap, start);

    if (this.incoming.length > 0) this.joinFetched(start);
    this.technique?.plan();
    shape.prefillTokens = 0;
    shape.prefillPairs = 0;
    shape.prefillContextTokens = 0;
    shape.prefillEnds = 0;
    this.decodes = true;
    this.blocked = false;
    const preempted = scheduler.compose(this, start);
    if (scheduler.ages) this.blocked = false;

    if (pool.used > this.peakUsed) this.peakUsed = pool.used;
    this.tiers?.handDown(start);
    if (decode.count === 0 && shape.prefillTokens === 0) {
      this.now = start;
      // Everyone in the batch was preempted: the blocks are free now, so whoever waits may have them at once.
      if (preempted) this.begin(start);
      return;
    }
    shape.prefillSequences = this.prompts.length;
    shape.decodeSequences = this.decodes ? decode.count : 0;
    shape.decodeContextTokens = this.decodes ? decode.context : 0;
    if (this.cost.needsRequest === true) shape.request = this.prompts.length > 0 ? this.prompts.at(0) : -1;
    if (this.cost.needsLongest === true) shape.decodeLongestTokens = decode.longest(this.batch.first);
    this.flying = true;
    this.startNs = start;
    this.plannedNs = start;
    const alone = this.passNs();
    this.endNs =
      start + (this.tiers === undefined || decode.count === 0 ? alone : this.tiers.passNs(start, alone));
    if (swap !== undefined) this.endNs += swap.takeStall();
    this.rows.begin(start, shape.prefillTokens, shape.decodeSequences, shape.decodeContextTokens, pool.used);
  }

  /** Those whose KV cache is in place join the batch. */
  private joinReady(start: Ns): void {
    while (this.ready.length > 0 && this.batch.length < this.settings.maxSequences) {
      const r = this.ready.shift();
      this.batch.append(r);
      this.joinDecoding(r);
      const pause = start - (this.requests.lastTokenNs[r] ?? start);
      if (pause > 0) this.late.push(r, pause);
    }
  }

  /** Those whose prefix has arrived from a lower tier join the batch, in order of admission. */
  private joinFetched(start: Ns): void {
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
  // ── Steps of which a scheduler makes a pass ───────────────────────────────────────────────────

  /** Blocks for the next token of each decoding sequence; true where someone had to go for them. */
  takeDecodeBlocks(start: Ns): boolean {
    const { pool, decode, lateBlocks } = this;
    let preempted = false;
    let blocks = decode.blocksNeeded;
    while (blocks > pool.available - lateBlocks && (this.batch.length > 1 || blocks > pool.available)) {
      this.preempt(this.scheduler.victim(this), start);
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
    const { requests, prompts } = this;
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
    const { requests, pool, waiting, lateBlocks, lateSequences } = this;
    const { traffic } = requests;
    let left = budget;
    while (waiting.length > 0) {
      if (left <= 0) {
        this.blocked = this.shape.prefillTokens === 0;
        return;
      }
      if (this.batch.length + this.incoming.length + lateSequences >= this.settings.maxSequences) {
        this.blocked = lateSequences === 0;
        return;
      }
      const r = waiting.next(start);
      if ((traffic.arrivalNs[r] ?? 0) > this.known) return;
      const need = requests.need[r] ?? 0;
      const from = requests.idsFrom(r);
      const ids = requests.idsTo(r) - from;
      const hit = this.reuse ? pool.match(traffic.blockIds, from, from + ids) : 0;
      const fresh = Math.ceil(need / this.blockTokens) - hit;
      const idle = hit === 0 ? 0 : pool.idleAmong(traffic.blockIds, from, hit);
      const spare = whole && this.batch.length > 0 ? watermark(pool.total) : 0;
      if (fresh + idle > pool.available - lateBlocks - spare) {
        this.blocked = lateBlocks === 0;
        return;
      }
      if (whole && this.prompts.length > 0 && need - Math.min(hit * this.blockTokens, need - 1) > left)
        return;
      this.queueChanges(start);
      waiting.shift();
      const first = Number.isNaN(requests.scheduledNs[r] ?? 0);
      const coming =
        this.tiers === undefined || !this.reuse || hit === ids
          ? 0
          : this.tiers.fetch(
              {
                request: r,
                ids: traffic.blockIds,
                from: from + hit,
                to: from + ids,
                done: Math.min(hit * this.blockTokens, need - 1),
                need,
                first,
              },
              start,
              this,
              this.inPool,
            );
      const kept = hit === 0 && coming === 0 ? this.kept.take(r, pool, need, this.blockTokens) : 0;
      pool.reserve(traffic.blockIds, from, this.reuse ? from + ids : from, hit, fresh);
      pool.taken -= kept;
      requests.shared[r] = hit;
      requests.own[r] = fresh;
      const cached = Math.min((hit + kept + coming) * this.blockTokens, need - 1);
      requests.computed[r] = cached;
      this.pendingPrefill -= cached;
      if (first) {
        requests.scheduledNs[r] = start;
        requests.cachedTokens[r] = cached;
        requests.prefillInstance[r] = this.index;
        this.blockRefs += ids;
        this.hits += hit + coming;
      }
      if (coming > 0) {
        requests.phase[r] = Phase.moving;
        requests.heldBy[r] = this.index;
        this.incoming.push(r, coming, Math.max(this.tiers?.readyNs ?? 0, start + 1));
        continue;
      }
      requests.phase[r] = Phase.prefilling;
      this.batch.append(r);
      const take = whole ? need - cached : Math.min(need - cached, left);
      this.prompts.push(r, take);
      this.rows.batchChanged = true;
      left -= take;
      this.addChunk(cached, take, take === need - cached);
    }
  }

  /** The pass that is being put together leaves the decoding sequences out. */
  stallDecoding(): void {
    this.decodes = false;
    if (this.decode.count > 0) this.stalled = true;
  }

  /** The next pass gives the decoding sequences a token again; their gaps reach back to the one before. */
  resumeDecoding(start: Ns): void {
    if (!this.stalled) return;
    this.stalled = false;
    this.late.clear();
    const { requests } = this;
    for (let r = this.batch.first; r >= 0; r = requests.runAfter[r] ?? -1) {
      if (requests.phase[r] !== Phase.decoding) continue;
      const pause = start - this.lastTokenOf(r);
      if (pause > 0) this.late.push(r, pause);
    }
  }

  /** When a decoding sequence got its last token. */
  private lastTokenOf(r: number): Ns {
    const { requests } = this;
    return requests.joinPass[r] === this.decode.pass ? (requests.lastTokenNs[r] ?? 0) : this.decodedNs;
  }

  /** Who was swapped out comes back, in order, while the batch has room for it and for everybody's next token. */
  private swapIn(swap: SwapSpace, start: Ns): void {
    const { pool, decode, requests } = this;
    while (swap.queue.length > 0 && this.batch.length < this.settings.maxSequences) {
      const r = swap.queue.at(0);
      const slots = (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0) - 1;
      const blocks = Math.ceil(slots / this.blockTokens);
      const next = decode.blocksNeeded + (slots % this.blockTokens === 0 ? 1 : 0);
      const spare = this.batch.length > 0 ? watermark(pool.total) : 0;
      if (blocks + next + spare > pool.available - this.lateBlocks) return;
      pool.take(blocks);
      requests.own[r] = blocks;
      this.batch.append(r);
      this.joinDecoding(r);
      const pause = start - (requests.lastTokenNs[r] ?? start);
      if (pause > 0) this.late.push(r, pause);
      const ns = swap.in(blocks);
      this.events.swapped(r, start, this, 'swap_in', blocks, ns);
    }
  }

  // ── The pass itself ───────────────────────────────────────────────────────────────────────────

  /** Time of the pass that `shape` describes. */
  private passNs(): Ns {
    if (this.coupling !== undefined) return this.coupling.passNs(this, this.startNs, this.shape);
    if (this.technique !== undefined) return this.technique.passNs(this.shape);
    return this.shape.prefillTokens === 0 ? this.decodeNs() : this.cost.iterationNs(this.shape);
  }

  /** Time of a decode-only pass: off the line where the model has one, so that runs of passes and single ones agree. */
  protected decodeNs(): Ns {
    const { count, context } = this.decode;
    if (this.lineFor !== count) {
      this.lineFor = count;
      this.straight = this.cost.decodeLine(count, this.line);
    }
    return this.straight
      ? wholeNs(this.line.baseNs + this.line.perContextTokenNs * context)
      : this.cost.iterationNs(this.shape);
  }

  /** Writes down the open row of passes, when the run ends. */
  closeRow(): void {
    this.rows.close(this.pool.used);
  }

  /** The pass in progress ends. */
  protected complete(): void {
    const requests = this.requests;
    const end = this.endNs;
    const duration = end - this.startNs;
    const prefillTokens = this.shape.prefillTokens;
    this.flying = false;
    this.now = end;
    this.busyNs += duration;
    this.passesDone++;
    this.rows.passed(1, end);
    (this.technique ?? this.cost).work(this.shape, this.workOut);
    this.flops += this.workOut.flops;
    this.bytes += this.workOut.bytes;
    if (prefillTokens > 0) {
      // A nearly empty pass says nothing about the rate: its time is the weights', not the tokens'.
      if (4 * prefillTokens >= this.settings.maxBatchedTokens) {
        const rate = (prefillTokens / duration) * 1e9;
        this.prefillRate = Number.isNaN(this.prefillRate) ? rate : 0.8 * this.prefillRate + 0.2 * rate;
      }
      this.pendingPrefill -= prefillTokens;
      this.promptTokensDone += prefillTokens;
    }

    const { decode, prompts } = this;
    if (this.decodes) {
      decode.step();
      if (decode.count > 0) this.gaps?.passed(decode.pass, end - this.decodedNs, end, this.batch.first);
      this.decodedNs = end;
    }
    if (decode.count > 0 && this.decodes) {
      this.decodePassNs = duration;
      this.outputTokensDone += decode.count + decode.extra;
      this.itlMs.add(duration / 1e6, decode.count - this.late.length);
      if (this.late.length > 0) this.late.end(duration, this.itlMs);
      // Tokens of one sequence that come with one pass come together.
      if (decode.extra > 0) this.itlMs.add(0, decode.extra);
      while (decode.finishes.next === decode.pass) this.finishDecoding(decode.finishes.pop(), end);
    }

    let ended = 0;
    for (let i = 0; i < prompts.length; i++) {
      const take = prompts.tokensAt(i);
      if (take === 0) break;
      const r = prompts.at(i);
      const computed = (requests.computed[r] ?? 0) + take;
      requests.computed[r] = computed;
      if (this.reuse) this.publishComputed(r, computed);
      if (computed === requests.need[r]) {
        ended++;
        this.endPrompt(r, end);
      }
    }
    if (ended > 0) {
      prompts.dropFirst(ended);
      this.rows.batchChanged = true;
    }
  }

  private publishComputed(r: number, computed: Tokens): void {
    const requests = this.requests;
    const traffic = requests.traffic;
    const from = requests.idsFrom(r);
    const ids = requests.idsTo(r) - from;
    const prompt = traffic.promptTokens[r] ?? 0;
    let shared = requests.shared[r] ?? 0;
    const before = shared;
    while (shared < ids && computed >= Math.min((shared + 1) * this.blockTokens, prompt)) {
      this.pool.publish(traffic.blockIds[from + shared] ?? -1, from + shared, shared);
      shared++;
    }
    requests.shared[r] = shared;
    requests.own[r] = (requests.own[r] ?? 0) - (shared - before);
    this.tiers?.computed(traffic.blockIds, from + before, from + shared, this.now);
  }

  /** The end of a prompt gives the next token (the first one, unless the request was preempted). */
  private endPrompt(r: number, end: Ns): void {
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

  private finishDecoding(r: number, end: Ns): void {
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

  private joinDecoding(r: number): void {
    this.requests.decodeInstance[r] = this.index;
    this.decode.join(r);
    this.rows.batchChanged = true;
  }

  /** Takes a sequence out of the decoding batch at the end of a pass, which gave it its last token. */
  private leaveDecoding(r: number, at: Ns): void {
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
    this.pool.give(own);
    if (shared > 0) this.pool.release(requests.traffic.blockIds, requests.idsFrom(r), shared);
    requests.shared[r] = 0;
    requests.own[r] = 0;
    this.blocked = false;
  }

  /** Blocks were freed by others: whoever waits for them may try again. */
  unblock(): void {
    this.blocked = false;
  }

  /** Blocks that a request holds here at the end of a pass. */
  blocksOf(r: number): Blocks {
    return (this.requests.shared[r] ?? 0) + (this.requests.own[r] ?? 0);
  }

  /** Takes the blocks of a request in the batch away, between two passes. */
  private preempt(r: number, at: Ns): void {
    const requests = this.requests;
    if (r < 0) throw new Error(`instance ${this.index}: no blocks and nobody to preempt`);
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
      this.releaseBlocks(r);
      requests.phase[r] = Phase.swapped;
      const ns = this.swap.out(r, blocks);
      this.events.swapped(r, at, this, 'swap_out', blocks, ns);
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
   * Who was here, in order: the batch, those about to join it, those whose prefix was on its way, those swapped out, the queue. Tokens that were generated stay generated.
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

  /** The cost model answers otherwise from now on: passes that start later are asked for anew. */
  costChanged(): void {
    this.lineFor = -1;
    this.straight = false;
  }

  /** The KV cache of r is in place (its blocks are this instance's): r joins the batch at the next pass. */
  receive(r: number, t: Ns): void {
    this.requests.phase[r] = Phase.ready;
    this.requests.decodeInstance[r] = this.index;
    if (!this.flying) this.now = Math.max(this.now, t);
    this.ready.push(r);
  }

  /**
   * Passes with the same batch, up to t, to the next end of a sequence or to a lack of blocks. The pass in progress is
   * decode-only and its blocks were taken.
   */
  private runDecodePasses(t: Ns): void {
    const { pool, decode } = this;
    const n = decode.count;
    const ring = decode.ring;
    const size = this.blockTokens;
    const itl = this.itlMs;
    const base = this.line.baseNs;
    const slope = this.line.perContextTokenNs;
    const lastPass = decode.finishes.next;
    const firstStart = this.startNs;
    const firstContext = decode.context;
    let start = firstStart;
    let end = this.endNs;
    let context = firstContext;
    let pass = decode.pass;
    let at = decode.ringAt;
    let duration = end - start;
    let flying = true;
    for (;;) {
      // The pass from start to end is over.
      duration = end - start;
      itl.add(duration / 1e6, n);
      context += n;
      pass++;
      at++;
      if (at === size) at = 0;
      start = end;
      if (pass === lastPass || end >= t) {
        flying = false;
        break;
      }
      const blocks = ring[at] ?? 0;
      if (blocks > 0) {
        if (blocks > pool.available) {
          flying = false;
          break;
        }
        if (pool.journal !== undefined) this.now = start;
        pool.take(blocks);
        if (this.tiers !== undefined) this.tiers.handDown(start);
      }
      const ns = base + slope * context;
      end = start + (ns > 1 ? Math.round(ns) : 1);
      if (end > t) break;
    }
    const done = pass - decode.pass;
    this.gaps?.ran(
      decode.pass + 1,
      done,
      this.endNs - this.decodedNs,
      this.endNs,
      wholeNs(base + slope * firstContext),
      duration,
      this.batch.first,
    );
    this.busyNs += start - firstStart;
    this.passesDone += done;
    this.rows.passed(done, start);
    this.outputTokensDone += done * n;
    this.decodePassNs = duration;
    // Work is a straight line in the context too: the mean context stands for all passes.
    this.shape.decodeContextTokens = firstContext + (n * (done - 1)) / 2;
    this.cost.work(this.shape, this.workOut);
    this.flops += done * this.workOut.flops;
    this.bytes += done * this.workOut.bytes;
    this.shape.decodeContextTokens = context;
    decode.pass = pass;
    decode.ringAt = at;
    decode.context = context;
    this.decodedNs = start;
    this.now = start;
    const used = pool.used;
    if (used > this.peakUsed) this.peakUsed = used;
    if (flying) {
      this.startNs = start;
      this.endNs = end;
      return;
    }
    this.flying = false;
    if (pass === lastPass) {
      while (decode.finishes.next === pass) this.finishDecoding(decode.finishes.pop(), start);
    }
  }
}

/** Blocks that vLLM V0 keeps back when it lets a request in beside others: watermark 0.01 of its block manager. */
const watermark = (blocks: Blocks): Blocks => Math.ceil(0.01 * blocks);
