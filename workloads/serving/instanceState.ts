import { type CostModel, type DecodeLine, IterationShape, type IterationWork } from '../cost/costModel.ts';
import { type Profile, profile } from '../cost/costModels.ts';
import type { Sketch } from '../metrics/sketch.ts';
import type { PoolRole } from '../run/spec.ts';
import type { Blocks, Ns, Tokens } from '../units.ts';
import type { Coupling } from './coupling.ts';
import { DecodeBatch } from './decodeBatch.ts';
import type { InstanceEvents, InstanceSettings } from './instanceSettings.ts';
import { IntQueue } from './intQueue.ts';
import { KeptBlocks } from './keptBlocks.ts';
import { KvPool } from './kvPool.ts';
import { PassPlan, RowKind } from './passPlan.ts';
import { PassRows } from './passRows.ts';
import { Pauses } from './pauses.ts';
import { PromptBatch } from './promptBatch.ts';
import type { Observation, PrefixIndex, ReplicaTotals } from './replica.ts';
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

/** What one model replica has: its queue, its batch, its blocks, its counters; and what it says of them. */
export abstract class InstanceState {
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
  protected readonly blockTokens: number;
  protected readonly reuse: boolean;

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
  protected readonly prompts = new PromptBatch();
  protected readonly decode: DecodeBatch;
  readonly technique: DecodeTechnique | undefined;
  /** Sequences in the batch, prompts included. */
  protected readonly batch: RunningList;
  protected readonly late = new Pauses();
  protected readonly kept = new KeptBlocks();
  protected readonly rows: PassRows;
  /** Prompt tokens that wait or are in the batch and not yet computed. */
  pendingPrefill: Tokens = 0;
  /** The first waiting request cannot be admitted until something ends. */
  protected blocked = false;
  protected readonly swap: SwapSpace | undefined;
  /** The pass gives the decoding sequences a token; false where they stand still for prompts. */
  protected decodes = true;
  /** Passes without them went by since the decoding sequences got their last token, which was at `decodedNs`. */
  protected stalled = false;
  protected decodedNs: Ns = 0;
  protected readonly gaps: TokenGaps | undefined;

  /** Planning ahead: start of the last pass, and what its end freed. */
  protected plannedNs: Ns = 0;
  protected freedBlocks: Blocks = 0;
  protected freedSequences = 0;
  /** Of the pass that is being put together: what is freed but not yet known to be, and up to when arrivals are known. */
  protected lateBlocks: Blocks = 0;
  protected lateSequences = 0;
  protected known: Ns = 0;

  /** Others whose passes this one's depend on; most instances have none. */
  coupling: Coupling | undefined;
  readonly shape = new IterationShape();
  /** Rows of the pass in progress; filled only for an executor. */
  protected readonly plan = new PassPlan();
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
  protected queueIntegral = 0;
  protected queueSince: Ns = 0;
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

  /** The prefix cache that routers may look at. */
  get prefixes(): PrefixIndex {
    return this.pool;
  }

  get peaks(): CostModel['peaks'] {
    return this.cost.peaks;
  }

  profile(maxBatchedTokens: Tokens): Profile {
    return profile(this.cost, maxBatchedTokens);
  }

  observe(into: Observation, t: Ns): void {
    const { pool, ready } = this;
    into.waiting = this.waiting.length;
    into.running = this.running;
    into.ready = ready.length;
    into.decoding = this.decoding;
    into.decodeContext = this.decodeContext;
    into.pendingPrefill = this.pendingPrefill;
    into.kvUsed = pool.used;
    into.kvCached = pool.total - pool.free;
    into.kvTotal = pool.total;
    into.prefillRate = this.prefillRate;
    into.decodePassNs = this.decodePassNs;
    into.busyNs = this.busyNs;
    into.busyUntilNs = this.busyUntil(t);
    into.outputTokens = this.outputTokensDone;
    into.firstTokens = this.prefillsDone;
    into.flops = this.flops;
    into.bytes = this.bytes;
  }

  totals(end: Ns): ReplicaTotals {
    const { pool, swap, technique } = this;
    return {
      completed: this.completed,
      outputTokens: this.outputTokensDone,
      busyNs: this.busyUntil(end),
      kvBlocks: pool.total,
      kvPeak: this.peakUsed,
      blockRefs: this.blockRefs,
      hits: this.hits,
      evictions: pool.evictions,
      stranded: pool.stranded,
      queueIntegral: this.queueUntil(end),
      queuePeak: this.queuePeak,
      ...(technique === undefined ? {} : { technique: technique.counts }),
      ...(swap === undefined ? {} : { swap }),
    };
  }

  /** The rows of the pass that was put together, for an executor. */
  protected planPass(): PassPlan {
    const { plan, prompts, requests, batch } = this;
    plan.clear();
    for (let i = 0; i < prompts.length; i++) {
      const take = prompts.tokensAt(i);
      if (take === 0) break;
      const r = prompts.at(i);
      const done = requests.computed[r] ?? 0;
      this.pool.tables?.grow(r, Math.ceil((done + take) / this.blockTokens));
      plan.add(r, RowKind.prefill, done, take, done + take === requests.need[r]);
    }
    if (!this.decodes) return plan;
    for (let r = batch.first; r >= 0; r = requests.runAfter[r] ?? -1) {
      if (requests.phase[r] !== Phase.decoding) continue;
      const generated = this.decode.generated(r);
      const context = (requests.traffic.promptTokens[r] ?? 0) + generated;
      const width = Math.min(this.decode.width, (requests.traffic.outputTokens[r] ?? 0) - generated);
      this.pool.tables?.grow(r, Math.ceil((context - 1 + width) / this.blockTokens));
      plan.add(r, RowKind.decode, context - 1, width, true);
    }
    return plan;
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

  /** When a decoding sequence got its last token. */
  protected lastTokenOf(r: number): Ns {
    const { requests } = this;
    return requests.joinPass[r] === this.decode.pass ? (requests.lastTokenNs[r] ?? 0) : this.decodedNs;
  }

  /** Blocks that a request holds here at the end of a pass. */
  blocksOf(r: number): Blocks {
    return (this.requests.shared[r] ?? 0) + (this.requests.own[r] ?? 0);
  }
}
