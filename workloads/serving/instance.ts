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
import { FinishQueue } from './finishQueue.ts';
import { IntQueue } from './intQueue.ts';
import { KvPool } from './kvPool.ts';
import { Phase, type RequestTable } from './requestTable.ts';

/** What an instance tells the world when it happens: called per request, never per token. */
export interface InstanceEvents {
  firstToken(request: number, at: Ns, instance: Instance): void;
  finished(request: number, at: Ns, instance: Instance): void;
  preempted(request: number, at: Ns, instance: Instance, blocks: Blocks): void;
  /** The prompt is computed and the router is to say where decoding goes on; the instance still holds the blocks. */
  promptDone(request: number, at: Ns, instance: Instance): void;
  /** A run of like passes ended. */
  passes(
    instance: Instance,
    start: Ns,
    end: Ns,
    count: number,
    prefillTokens: Tokens,
    decodeSequences: number,
    contextTokens: Tokens,
    kvBlocks: Blocks,
  ): void;
}

export interface InstanceSettings {
  readonly index: number;
  readonly name: string;
  readonly role: PoolRole;
  readonly cost: CostModel;
  readonly kvBlocks: Blocks;
  readonly blockTokens: Tokens;
  readonly prefixReuse: boolean;
  readonly maxBatchedTokens: Tokens;
  readonly maxSequences: number;
  /** After each prompt the router says where to decode. */
  readonly asksWhereToDecode: boolean;
  /**
   * Each pass is put together when the one before it starts (vLLM's async scheduling): who arrives during a pass, and what
   * ends with it, counts from the pass after the next.
   */
  readonly plansAhead?: boolean;
  /** The KV cache of a preempted request can be found again until its blocks are taken. */
  readonly keepsPreempted?: boolean;
}

/**
 * One model replica with continuous batching, after vLLM V1's scheduler. Each pass:
 *
 *   1. every decoding sequence gets one token; when blocks run out the latest request is preempted and recomputed later
 *   2. the rest of the token budget goes to prompts in order of admission, cut into chunks
 *   3. waiting requests are admitted in order while budget, sequences and blocks for their whole prompt last
 *
 * The instance is advanced lazily: `advanceTo(t)` runs every pass that starts before t. Between two passes with the same
 * batch nothing is looked at per sequence:
 *
 *   context grows by the number of sequences · the next end is the top of a heap of pass numbers
 *   a sequence needs a block every `blockTokens` passes, so a ring counts who needs one at which pass
 */
export class Instance {
  readonly settings: InstanceSettings;
  readonly index: number;
  readonly role: PoolRole;
  readonly pool: KvPool;
  readonly cost: CostModel;
  private readonly requests: RequestTable;
  private readonly events: InstanceEvents;
  private readonly itlMs: Sketch;
  private readonly blockTokens: number;
  private readonly reuse: boolean;

  /** End of the last pass, or when the instance was last found without work. */
  now: Ns = 0;
  /** A pass is in progress from startNs to endNs. */
  flying = false;
  startNs: Ns = 0;
  endNs: Ns = 0;

  readonly waiting = new IntQueue();
  /** Moved here, KV cache in place, not yet in the batch. */
  readonly ready = new IntQueue();
  /** Prompts in the batch, in order of admission, and their share of the pass in progress. */
  private prefilling = new Int32Array(8);
  private chunk = new Int32Array(8);
  prefills = 0;
  /** Sequences in the batch, prompts included. */
  running = 0;
  private oldestRunning = -1;
  private newestRunning = -1;
  decoding = 0;
  decodeContext: Tokens = 0;
  /** Prompt tokens that wait or are in the batch and not yet computed. */
  pendingPrefill: Tokens = 0;
  private pass = 0;
  private ringAt = 0;
  private readonly ring: Int32Array;
  private readonly finishes: FinishQueue;
  /** The first waiting request cannot be admitted until something ends. */
  private blocked = false;
  /** Sequences that decode again after a pause, and the pause: their next gap is longer than the pass. */
  private late = new Float64Array(4);
  private lateRequest = new Int32Array(4);
  private lateCount = 0;

  /** Planning ahead: start of the last pass, and what its end freed. */
  private plannedNs: Ns = 0;
  /** Context of the longest decoding sequence less the pass counter; −∞ where it is to be looked for. */
  private longestLead = Number.NEGATIVE_INFINITY;
  private freedBlocks: Blocks = 0;
  private freedSequences = 0;
  /** Preempted requests: how many blocks may be taken in all before the first of theirs is gone, and their tokens. */
  private readonly kept = new Map<number, { readonly until: Blocks; readonly tokens: Tokens }>();

  private readonly shape = new IterationShape();
  private readonly line: DecodeLine = { baseNs: 0, perContextTokenNs: 0 };
  private lineFor = -1;
  private straight = false;
  private readonly workOut: IterationWork = { flops: 0, bytes: 0 };

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

  // The open row of like passes.
  private rowStart: Ns = 0;
  private rowEnd: Ns = 0;
  private rowPasses = 0;
  private rowPrefill: Tokens = 0;
  private rowDecoding = 0;
  private rowContext: Tokens = 0;
  private batchChanged = true;
  private rowBatch = false;

  constructor(settings: InstanceSettings, requests: RequestTable, events: InstanceEvents, itlMs: Sketch) {
    this.settings = settings;
    this.index = settings.index;
    this.role = settings.role;
    this.cost = settings.cost;
    this.pool = new KvPool(settings.kvBlocks);
    this.requests = requests;
    this.events = events;
    this.itlMs = itlMs;
    this.blockTokens = settings.blockTokens;
    this.reuse = settings.prefixReuse;
    this.ring = new Int32Array(settings.blockTokens);
    this.finishes = new FinishQueue(Math.min(settings.maxSequences, 64));
  }

  /** Requests here that are not finished: waiting, in the batch, or arrived and about to join it. */
  get outstanding(): number {
    return this.waiting.length + this.running + this.ready.length;
  }

  /** Nothing runs and nothing could: a new event is needed. */
  get resting(): boolean {
    return !this.flying && this.waiting.length === 0 && this.ready.length === 0 && this.running === 0;
  }

  /** Time with a pass in progress, up to t ≥ now. */
  busyUntil(t: Ns): Ns {
    return this.busyNs + (this.flying ? Math.min(t, this.endNs) - this.startNs : 0);
  }

  /** Integral of the queue length over time, request-ns. */
  queueUntil(t: Ns): number {
    return this.queueIntegral + this.waiting.length * (t - this.queueSince);
  }

  private queueChanges(t: Ns): void {
    this.queueIntegral += this.waiting.length * (t - this.queueSince);
    this.queueSince = t;
  }

  /** A request arrives (or comes back) at t; the instance was advanced to t. */
  enqueue(r: number, t: Ns): void {
    const requests = this.requests;
    requests.phase[r] = Phase.waiting;
    requests.need[r] = (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0);
    this.queueChanges(t);
    if (this.waiting.length === 0) this.blocked = false;
    this.waiting.push(r);
    if (this.waiting.length > this.queuePeak) this.queuePeak = this.waiting.length;
    this.pendingPrefill += requests.need[r] ?? 0;
    if (!this.flying) this.now = Math.max(this.now, t);
  }

  /** Runs every pass that starts before t; one that ends later stays in progress. */
  advanceTo(t: Ns): void {
    for (;;) {
      if (!this.flying) {
        if (this.now >= t || (this.running === 0 && this.waiting.length === 0 && this.ready.length === 0))
          return;
        this.begin(this.now);
        if (!this.flying) {
          // Work is waiting for blocks that others hold: nothing can start before that changes.
          this.now = t;
          return;
        }
      }
      if (this.endNs > t) return;
      if (
        this.prefills === 0 &&
        this.lateCount === 0 &&
        this.straight &&
        this.ready.length === 0 &&
        (this.waiting.length === 0 || this.blocked)
      ) {
        this.runDecodePasses(t);
      } else {
        this.complete();
      }
    }
  }

  /** Starts a pass at t where there is work: used where passes are events of their own. */
  startAt(t: Ns): void {
    if (this.flying || this.outstanding === 0) return;
    this.now = Math.max(this.now, t);
    this.begin(this.now);
  }

  private begin(start: Ns): void {
    const requests = this.requests;
    const traffic = requests.traffic;
    const pool = this.pool;
    const shape = this.shape;

    while (this.ready.length > 0 && this.running < this.settings.maxSequences) {
      const r = this.ready.shift();
      this.linkRunning(r);
      this.joinDecoding(r);
      const pause = start - (requests.lastTokenNs[r] ?? start);
      if (pause > 0) this.addLate(r, pause);
    }

    const ahead = this.settings.plansAhead === true && start === this.endNs && this.running > 0;
    const lateBlocks = ahead ? this.freedBlocks : 0;
    const lateSequences = ahead ? this.freedSequences : 0;
    const known = ahead ? this.plannedNs : start;
    this.freedBlocks = 0;
    this.freedSequences = 0;

    let preempted = false;
    let blocks = this.ring[this.ringAt] ?? 0;
    while (blocks > pool.available - lateBlocks && (this.running > 1 || blocks > pool.available)) {
      this.preemptLatest(start);
      preempted = true;
      blocks = this.ring[this.ringAt] ?? 0;
    }
    if (blocks > 0) pool.take(blocks);

    let budget = this.settings.maxBatchedTokens - this.decoding;
    let prefillTokens = 0;
    let pairs = 0;
    let prefillContext = 0;
    let ends = 0;
    for (let i = 0; i < this.prefills; i++) {
      const r = this.prefilling[i] ?? -1;
      const done = requests.computed[r] ?? 0;
      const left = (requests.need[r] ?? 0) - done;
      const take = Math.max(0, Math.min(left, budget));
      this.chunk[i] = take;
      budget -= take;
      prefillTokens += take;
      pairs += take * done + (take * (take + 1)) / 2;
      if (take > 0) prefillContext += done + take;
      if (take === left) ends++;
    }

    this.blocked = false;
    while (!preempted && this.waiting.length > 0) {
      if (budget <= 0) {
        this.blocked = prefillTokens === 0;
        break;
      }
      if (this.running + lateSequences >= this.settings.maxSequences) {
        this.blocked = lateSequences === 0;
        break;
      }
      const r = this.waiting.at(0);
      if ((traffic.arrivalNs[r] ?? 0) > known) break;
      const need = requests.need[r] ?? 0;
      const from = requests.idsFrom(r);
      const ids = requests.idsTo(r) - from;
      const hit = this.reuse ? pool.match(traffic.blockIds, from, from + ids) : 0;
      const fresh = Math.ceil(need / this.blockTokens) - hit;
      const idle = hit === 0 ? 0 : pool.idleAmong(traffic.blockIds, from, hit);
      if (fresh + idle > pool.available - lateBlocks) {
        this.blocked = lateBlocks === 0;
        break;
      }
      this.queueChanges(start);
      this.waiting.shift();
      pool.hold(traffic.blockIds, from, hit);
      const kept = hit === 0 ? this.takeKept(r, need) : 0;
      pool.take(fresh);
      pool.taken -= kept;
      requests.shared[r] = hit;
      requests.own[r] = fresh;
      const cached = Math.min((hit + kept) * this.blockTokens, need - 1);
      requests.computed[r] = cached;
      this.pendingPrefill -= cached;
      if (Number.isNaN(requests.scheduledNs[r] ?? 0)) {
        requests.scheduledNs[r] = start;
        requests.cachedTokens[r] = cached;
        requests.prefillInstance[r] = this.index;
        this.blockRefs += ids;
        this.hits += hit;
      }
      requests.phase[r] = Phase.prefilling;
      this.linkRunning(r);
      if (this.prefills === this.prefilling.length) {
        this.prefilling = doubled(this.prefilling);
        this.chunk = doubled(this.chunk);
      }
      const left = need - cached;
      const take = Math.min(left, budget);
      this.prefilling[this.prefills] = r;
      this.chunk[this.prefills] = take;
      this.prefills++;
      this.batchChanged = true;
      budget -= take;
      prefillTokens += take;
      pairs += take * cached + (take * (take + 1)) / 2;
      prefillContext += cached + take;
      if (take === left) ends++;
    }

    const used = pool.used;
    if (used > this.peakUsed) this.peakUsed = used;
    if (this.decoding === 0 && prefillTokens === 0) {
      this.now = start;
      // Everyone in the batch was preempted: the blocks are free now, so whoever waits may have them at once.
      if (preempted) this.begin(start);
      return;
    }
    shape.prefillTokens = prefillTokens;
    shape.prefillPairs = pairs;
    shape.prefillContextTokens = prefillContext;
    shape.prefillSequences = this.prefills;
    shape.prefillEnds = ends;
    shape.decodeSequences = this.decoding;
    shape.decodeContextTokens = this.decodeContext;
    if (this.cost.needsLongest === true) shape.decodeLongestTokens = this.longest();
    this.flying = true;
    this.startNs = start;
    this.plannedNs = start;
    this.endNs = start + (prefillTokens === 0 ? this.decodeNs() : this.cost.iterationNs(shape));
    this.openPass(start, prefillTokens);
  }

  /** Time of a decode-only pass: off the line where the model has one, so that runs of passes and single ones agree. */
  private decodeNs(): Ns {
    if (this.lineFor !== this.decoding) {
      this.lineFor = this.decoding;
      this.straight = this.cost.decodeLine(this.decoding, this.line);
    }
    return this.straight
      ? wholeNs(this.line.baseNs + this.line.perContextTokenNs * this.decodeContext)
      : this.cost.iterationNs(this.shape);
  }

  /** A pass begins: it lengthens the open row where the batch is the same, else it opens a new one. */
  private openPass(start: Ns, prefillTokens: Tokens): void {
    if (
      this.rowBatch &&
      !this.batchChanged &&
      prefillTokens === 0 &&
      this.rowPrefill === 0 &&
      this.rowEnd === start
    )
      return;
    this.closeRow();
    this.rowBatch = true;
    this.rowStart = start;
    this.rowPrefill = prefillTokens;
    this.rowDecoding = this.decoding;
    this.rowContext = this.decodeContext;
    this.batchChanged = false;
  }

  /** Writes down the open row of passes. Also called when the run ends. */
  closeRow(): void {
    if (this.rowBatch && this.rowPasses > 0) {
      this.events.passes(
        this,
        this.rowStart,
        this.rowEnd,
        this.rowPasses,
        this.rowPrefill,
        this.rowDecoding,
        this.rowContext,
        this.pool.used,
      );
    }
    this.rowPasses = 0;
    this.rowBatch = false;
  }

  /** The pass in progress ends. */
  private complete(): void {
    const requests = this.requests;
    const end = this.endNs;
    const duration = end - this.startNs;
    const prefillTokens = this.shape.prefillTokens;
    this.flying = false;
    this.now = end;
    this.busyNs += duration;
    this.passesDone++;
    this.rowPasses++;
    this.rowEnd = end;
    this.cost.work(this.shape, this.workOut);
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

    this.pass++;
    this.ringAt++;
    if (this.ringAt === this.blockTokens) this.ringAt = 0;
    if (this.decoding > 0) {
      this.decodePassNs = duration;
      this.decodeContext += this.decoding;
      this.outputTokensDone += this.decoding;
      this.itlMs.add(duration / 1e6, this.decoding - this.lateCount);
      for (let i = 0; i < this.lateCount; i++) this.itlMs.add((duration + (this.late[i] ?? 0)) / 1e6, 1);
      this.lateCount = 0;
      while (this.finishes.next === this.pass) this.finishDecoding(this.finishes.pop(), end);
    }

    let ended = 0;
    for (let i = 0; i < this.prefills; i++) {
      const take = this.chunk[i] ?? 0;
      if (take === 0) break;
      const r = this.prefilling[i] ?? -1;
      const computed = (requests.computed[r] ?? 0) + take;
      requests.computed[r] = computed;
      if (this.reuse) this.publishComputed(r, computed);
      if (computed === requests.need[r]) {
        ended++;
        this.endPrompt(r, end);
      }
    }
    if (ended > 0) {
      this.prefilling.copyWithin(0, ended, this.prefills);
      this.chunk.copyWithin(0, ended, this.prefills);
      this.prefills -= ended;
      this.batchChanged = true;
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
      this.pool.publish(traffic.blockIds[from + shared] ?? -1);
      shared++;
    }
    requests.shared[r] = shared;
    requests.own[r] = (requests.own[r] ?? 0) - (shared - before);
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
      this.itlMs.add((end - (requests.lastTokenNs[r] ?? end)) / 1e6, 1);
      requests.lastTokenNs[r] = end;
    }
    if (generated === requests.traffic.outputTokens[r]) {
      this.unlinkRunning(r);
      this.freedBlocks += this.blocksOf(r);
      this.freedSequences++;
      this.releaseBlocks(r);
      this.end(r, end);
    } else if (this.settings.asksWhereToDecode && generated === 1) {
      // Asked once: a request that was preempted while decoding goes on where it was.
      this.unlinkRunning(r);
      requests.phase[r] = Phase.moving;
      requests.heldBy[r] = this.index;
      this.events.promptDone(r, end, this);
    } else {
      this.joinDecoding(r);
    }
  }

  private finishDecoding(r: number, end: Ns): void {
    this.leaveDecoding(r, end);
    this.unlinkRunning(r);
    this.freedBlocks += this.blocksOf(r);
    this.freedSequences++;
    this.releaseBlocks(r);
    this.end(r, end);
  }

  private end(r: number, end: Ns): void {
    this.requests.phase[r] = Phase.completed;
    this.requests.finishNs[r] = end;
    this.requests.decodeInstance[r] = this.index;
    this.completed++;
    this.blocked = false;
    this.events.finished(r, end, this);
  }

  /** The sequence gets a token in each pass from the next one on. Its next token sees prompt + generated tokens. */
  private joinDecoding(r: number): void {
    const requests = this.requests;
    const generated = requests.generated[r] ?? 0;
    const context = (requests.traffic.promptTokens[r] ?? 0) + generated;
    requests.phase[r] = Phase.decoding;
    requests.decodeInstance[r] = this.index;
    requests.joinPass[r] = this.pass;
    this.decoding++;
    this.decodeContext += context;
    if (context - this.pass > this.longestLead) this.longestLead = context - this.pass;
    this.ringAdd(context, 1);
    this.finishes.push(this.pass + (requests.traffic.outputTokens[r] ?? 0) - generated, r);
    this.batchChanged = true;
  }

  /**
   * A sequence with this context needs a block when the slots it uses, context − 1, fill whole blocks:
   * in (−(context − 1)) mod blockTokens passes.
   */
  private ringAdd(context: Tokens, count: number): void {
    const size = this.blockTokens;
    const at = (this.ringAt + size - ((context - 1) % size)) % size;
    this.ring[at] = (this.ring[at] ?? 0) + count;
  }

  /** Takes a sequence out of the decoding batch at the end of a pass. The end queue is the caller's business. */
  private leaveDecoding(r: number, at: Ns): void {
    const requests = this.requests;
    const generated = (requests.generated[r] ?? 0) + this.pass - (requests.joinPass[r] ?? 0);
    const context = (requests.traffic.promptTokens[r] ?? 0) + generated;
    requests.generated[r] = generated;
    requests.lastTokenNs[r] = at;
    requests.own[r] = Math.ceil((context - 1) / this.blockTokens) - (requests.shared[r] ?? 0);
    this.decoding--;
    this.decodeContext -= context;
    if (context - this.pass >= this.longestLead) this.longestLead = Number.NEGATIVE_INFINITY;
    this.ringAdd(context, -1);
    this.batchChanged = true;
  }

  /** The longest context that decodes. All grow alike, so only its lead is kept, and looked for when its owner leaves. */
  private longest(): Tokens {
    if (this.decoding === 0) return 0;
    if (this.longestLead === Number.NEGATIVE_INFINITY) {
      const { requests } = this;
      for (let r = this.oldestRunning; r >= 0; r = requests.runAfter[r] ?? -1) {
        if (requests.phase[r] !== Phase.decoding) continue;
        const lead =
          (requests.traffic.promptTokens[r] ?? 0) +
          (requests.generated[r] ?? 0) -
          (requests.joinPass[r] ?? 0);
        if (lead > this.longestLead) this.longestLead = lead;
      }
    }
    return this.longestLead + this.pass;
  }

  /** Tokens that a decoding sequence has produced by now. */
  generatedSoFar(r: number): Tokens {
    return (this.requests.generated[r] ?? 0) + this.pass - (this.requests.joinPass[r] ?? 0);
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

  /** Blocks that a request holds here at the end of a pass. */
  blocksOf(r: number): Blocks {
    return (this.requests.shared[r] ?? 0) + (this.requests.own[r] ?? 0);
  }

  private preemptLatest(at: Ns): void {
    const requests = this.requests;
    const r = this.newestRunning;
    if (r < 0) throw new Error(`instance ${this.index}: no blocks and nobody to preempt`);
    if (requests.phase[r] === Phase.prefilling) {
      this.prefills--;
      this.pendingPrefill += requests.computed[r] ?? 0;
    } else {
      this.finishes.remove(r);
      // The latest in the batch is the latest of the late ones: it may go before its first pass here.
      if (this.lateCount > 0 && this.lateRequest[this.lateCount - 1] === r) this.lateCount--;
      // Its last token came at the end of the last pass, which is now.
      this.leaveDecoding(r, requests.joinPass[r] === this.pass ? (requests.lastTokenNs[r] ?? at) : at);
      requests.need[r] = (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0);
      this.pendingPrefill += requests.need[r] ?? 0;
    }
    const blocks = this.blocksOf(r);
    this.unlinkRunning(r);
    if (this.settings.keepsPreempted === true && requests.shared[r] === 0) {
      // Blocks are taken in the order in which they were given back, and a request gives back its last block first.
      const tokens =
        requests.phase[r] === Phase.prefilling ? (requests.computed[r] ?? 0) : (requests.need[r] ?? 0) - 1;
      this.kept.set(r, { until: this.pool.taken + this.pool.free + blocks, tokens });
    }
    this.releaseBlocks(r);
    requests.computed[r] = 0;
    requests.preemptions[r] = (requests.preemptions[r] ?? 0) + 1;
    requests.phase[r] = Phase.waiting;
    this.queueChanges(at);
    this.waiting.unshift(r);
    if (this.waiting.length > this.queuePeak) this.queuePeak = this.waiting.length;
    this.events.preempted(r, at, this, blocks);
  }

  /** How many leading blocks of a preempted request nobody took meanwhile; asked once, when it is admitted again. */
  private takeKept(r: number, need: Tokens): Blocks {
    const kept = this.kept.get(r);
    if (kept === undefined) return 0;
    this.kept.delete(r);
    const whole = Math.floor(Math.min(kept.tokens, need - 1) / this.blockTokens);
    return Math.max(0, Math.min(whole, kept.until - this.pool.taken));
  }

  /** Takes a decoding request out at the end of a pass (no pass in progress); its blocks stay until the KV cache has moved. */
  detach(r: number, at: Ns): void {
    this.finishes.remove(r);
    this.leaveDecoding(r, at);
    this.unlinkRunning(r);
    this.requests.phase[r] = Phase.moving;
    this.requests.heldBy[r] = this.index;
    this.blocked = false;
  }

  /** The KV cache of r is in place (its blocks are this instance's): r joins the batch at the next pass. */
  receive(r: number, t: Ns): void {
    this.requests.phase[r] = Phase.ready;
    this.requests.decodeInstance[r] = this.index;
    if (!this.flying) this.now = Math.max(this.now, t);
    this.ready.push(r);
  }

  private addLate(r: number, pause: Ns): void {
    if (this.lateCount === this.late.length) {
      const larger = new Float64Array(this.late.length * 2);
      larger.set(this.late);
      this.late = larger;
      this.lateRequest = doubled(this.lateRequest);
    }
    this.lateRequest[this.lateCount] = r;
    this.late[this.lateCount++] = pause;
  }

  private linkRunning(r: number): void {
    const { runBefore, runAfter } = this.requests;
    runBefore[r] = this.newestRunning;
    runAfter[r] = -1;
    if (this.newestRunning < 0) this.oldestRunning = r;
    else runAfter[this.newestRunning] = r;
    this.newestRunning = r;
    this.running++;
  }

  private unlinkRunning(r: number): void {
    const { runBefore, runAfter } = this.requests;
    const before = runBefore[r] ?? -1;
    const after = runAfter[r] ?? -1;
    if (before < 0) this.oldestRunning = after;
    else runAfter[before] = after;
    if (after < 0) this.newestRunning = before;
    else runBefore[after] = before;
    this.running--;
  }

  /** The oldest request in the batch; follow `runAfter` of the request table for the rest. −1 where empty. */
  get firstRunning(): number {
    return this.oldestRunning;
  }

  /**
   * Passes with the same batch, up to t, to the next end of a sequence or to a lack of blocks. The pass in progress is
   * decode-only and its blocks were taken.
   */
  private runDecodePasses(t: Ns): void {
    const pool = this.pool;
    const n = this.decoding;
    const ring = this.ring;
    const size = this.blockTokens;
    const itl = this.itlMs;
    const base = this.line.baseNs;
    const slope = this.line.perContextTokenNs;
    const lastPass = this.finishes.next;
    const firstStart = this.startNs;
    const firstContext = this.decodeContext;
    let start = firstStart;
    let end = this.endNs;
    let context = firstContext;
    let pass = this.pass;
    let at = this.ringAt;
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
        pool.take(blocks);
      }
      const ns = base + slope * context;
      end = start + (ns > 1 ? Math.round(ns) : 1);
      if (end > t) break;
    }
    const done = pass - this.pass;
    this.busyNs += start - firstStart;
    this.passesDone += done;
    this.rowPasses += done;
    this.rowEnd = start;
    this.outputTokensDone += done * n;
    this.decodePassNs = duration;
    // Work is a straight line in the context too: the mean context stands for all passes.
    this.shape.decodeContextTokens = firstContext + (n * (done - 1)) / 2;
    this.cost.work(this.shape, this.workOut);
    this.flops += done * this.workOut.flops;
    this.bytes += done * this.workOut.bytes;
    this.shape.decodeContextTokens = context;
    this.pass = pass;
    this.ringAt = at;
    this.decodeContext = context;
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
      while (this.finishes.next === pass) this.finishDecoding(this.finishes.pop(), start);
    }
  }

  /** For tests: own blocks of the requests here, and the counts that must agree with the lists. */
  check(): void {
    const requests = this.requests;
    let running = 0;
    let decoding = 0;
    let context = 0;
    let own = 0;
    for (let r = this.oldestRunning; r >= 0; r = requests.runAfter[r] ?? -1) {
      running++;
      if (requests.phase[r] === Phase.decoding) {
        decoding++;
        const tokens = (requests.traffic.promptTokens[r] ?? 0) + this.generatedSoFar(r);
        context += tokens;
        // A pass in progress has already taken the block of its token.
        const slots = this.flying ? tokens : tokens - 1;
        own += Math.ceil(slots / this.blockTokens) - (requests.shared[r] ?? 0);
      } else own += requests.own[r] ?? 0;
    }
    if (running !== this.running)
      throw new Error(`instance ${this.index}: ${running} running, ${this.running} counted`);
    if (decoding !== this.decoding || context !== this.decodeContext) {
      throw new Error(`instance ${this.index}: ${decoding} decode over ${context} tokens, counted otherwise`);
    }
    for (let r = 0; r < requests.count; r++) {
      const phase = requests.phase[r];
      if (phase === Phase.moving) {
        if (requests.heldBy[r] === this.index) own += requests.own[r] ?? 0;
        if (requests.movingTo[r] === this.index) own += requests.incomingOwn[r] ?? 0;
      } else if (phase === Phase.ready && requests.decodeInstance[r] === this.index)
        own += requests.own[r] ?? 0;
    }
    this.pool.check(own);
  }
}

function doubled(old: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(old.length * 2);
  larger.set(old);
  return larger;
}
