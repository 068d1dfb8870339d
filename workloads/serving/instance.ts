import type { CostModel, IterationShape, IterationWork } from '../cost/costModel.ts';
import { type Profile, profile } from '../cost/costModels.ts';
import type { PoolRole } from '../run/poolRole.ts';
import type { Blocks, Ns, Tokens } from '../units.ts';
import type { Batcher } from './batcher.ts';
import type { BatchState } from './batchState.ts';
import type { Coupling } from './coupling.ts';
import type { DecodeRuns, PassClock } from './decodeRuns.ts';
import type { Executor } from './executor.ts';
import type { InstanceCounters } from './instanceCounters.ts';
import type { InstanceSettings } from './instanceSettings.ts';
import type { IntQueue } from './intQueue.ts';
import type { KvPool } from './kvPool.ts';
import type { PassTimer } from './passTimer.ts';
import type { Observation, PrefixIndex, Replica, ReplicaTotals } from './replica.ts';
import type { RequestTable } from './requestTable.ts';
import type { Residents } from './residents.ts';
import type { WaitingQueue } from './schedulers/scheduler.ts';
import type { SwapSpace } from './schedulers/swapSpace.ts';
import type { Incoming } from './tiers/incoming.ts';
import type { InstanceTiers } from './tiers/instanceTiers.ts';
import type { NodeClock } from './tiers/nodeClock.ts';

/** The parts of an instance; `makeInstance.ts` joins them. */
export interface InstanceParts {
  readonly batcher: Batcher;
  readonly residents: Residents;
  readonly timer: PassTimer;
  /** Absent where every pass is composed. */
  readonly decodeRuns?: DecodeRuns;
}

/**
 * One model replica: a batcher that composes passes, and the clock that drives it. How long a pass takes says the cost
 * model (`PassTimer`) or, where time is real, the executor of the settings.
 *
 * A simulated instance is advanced lazily: `advanceTo(t)` runs every pass that starts before t, and passes with the same
 * batch in one loop (`DecodeRuns`).
 */
export class Instance implements Replica, PassClock {
  readonly batcher: Batcher;
  readonly index: number;
  readonly settings: InstanceSettings;
  readonly requests: RequestTable;
  readonly pool: KvPool;
  readonly cost: CostModel;
  readonly counters: InstanceCounters;
  readonly waiting: WaitingQueue;
  readonly ready: IntQueue;
  readonly incoming: Incoming;
  readonly swap: SwapSpace | undefined;
  readonly tiers: InstanceTiers | undefined;
  /** End of the last pass, or when the instance was last found without work. */
  now: Ns = 0;
  /** A pass is in progress from startNs to endNs. */
  flying = false;
  startNs: Ns = 0;
  endNs: Ns = 0;
  /** No pass starts before this time: the engine waits for a transfer. */
  pausedUntil: Ns = 0;
  /** Advances this instance and those that it shares memory tiers with. */
  nodeClock: NodeClock | undefined = undefined;
  private readonly state: BatchState;
  private readonly residents: Residents;
  private readonly timer: PassTimer;
  private readonly decodeRuns: DecodeRuns | undefined;
  private readonly work: IterationWork = { flops: 0, bytes: 0 };
  /** Passes that were handed to an executor. */
  private launches = 0;

  constructor({ batcher, residents, timer, decodeRuns }: InstanceParts) {
    const { state } = batcher;
    this.batcher = batcher;
    this.state = state;
    this.residents = residents;
    this.timer = timer;
    this.decodeRuns = decodeRuns;
    this.index = state.index;
    this.settings = state.settings;
    this.requests = state.requests;
    this.pool = state.pool;
    this.cost = state.settings.cost;
    this.counters = state.counters;
    this.waiting = state.waiting;
    this.ready = state.ready;
    this.incoming = state.incoming;
    this.swap = state.swap;
    this.tiers = state.tiers;
  }

  // ── Time ──────────────────────────────────────────────────────────────────────────────────────

  /** Runs every pass that starts before t; one that ends later stays in progress. */
  advanceTo(t: Ns): void {
    // What an executor runs ends when the executor says so.
    if (this.settings.executor !== undefined) return;
    const { coupling } = this.timer;
    if (coupling !== undefined) coupling.advanceTo(t);
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

  private run(t: Ns, quietly: boolean): Ns {
    const { state, batcher, timer, decodeRuns } = this;
    for (;;) {
      if (!this.flying) {
        const start = batcher.readyAt(this.now);
        if (start >= t) return Number.POSITIVE_INFINITY;
        this.now = start;
        if (quietly && state.looksAround) return start;
        this.begin(start);
        if (!this.flying) {
          // Work is waiting for a prefix on its way, or for blocks that others hold: nothing can start before that changes.
          this.now = Math.min(t, this.incoming.nextAfter(this.now));
          continue;
        }
      }
      if (this.endNs > t) return Number.POSITIVE_INFINITY;
      if (decodeRuns !== undefined && timer.straight && state.isSteady) {
        decodeRuns.run(this, batcher.plan.shape, t);
      } else this.complete();
    }
  }

  /** For a coupling: starts a pass at a time that the caller chooses, where a request can run. */
  startPass(start: Ns): void {
    this.now = start;
    this.begin(start);
  }

  /** The pass in progress ends at `at`: said by a coupling, or after an executor has run it. */
  endPass(at: Ns = this.endNs): void {
    this.endNs = at;
    this.complete();
  }

  /** Starts a pass at t where there is work: used where passes are events of their own. */
  startAt(t: Ns): void {
    if (this.flying || this.outstanding === 0) return;
    const { coupling } = this.timer;
    if (coupling !== undefined) {
      coupling.startAt(t);
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

  /** Composes the pass that starts at `start`, and starts it; does nothing where no request can run. */
  private begin(start: Ns): void {
    const { batcher, settings } = this;
    const plan = batcher.compose(start);
    if (plan === undefined) {
      this.now = start;
      return;
    }
    const { shape } = plan;
    this.flying = true;
    this.startNs = start;
    if (settings.executor === undefined) this.endNs = this.timer.endOf(this, start, shape);
    else this.execute(settings.executor);
    this.state.rows.begin(
      start,
      shape.prefillTokens,
      shape.decodeSequences,
      shape.decodeContextTokens,
      this.pool.used,
    );
  }

  /** Hands the pass that was composed to an executor; when it ends is known when it has ended. */
  private execute(executor: Executor): void {
    const { batcher, state } = this;
    this.endNs = Number.POSITIVE_INFINITY;
    const launch = ++this.launches;
    batcher.writeRows();
    executor.run(this, batcher.plan, this.startNs, (result) => {
      // A crash of the instance may have ended the pass before the device did.
      if (!this.flying || launch !== this.launches) return;
      this.startNs = result.startNs;
      state.rows.startedAt(result.startNs);
      state.events.executed?.(this, result);
    });
  }

  /** The pass in progress ends. */
  private complete(): void {
    const { batcher, counters, work } = this;
    const { plan } = batcher;
    this.flying = false;
    this.now = this.endNs;
    counters.busyNs += this.endNs - this.startNs;
    counters.passesDone++;
    this.state.rows.passed(1, this.endNs);
    this.timer.work(plan.shape, work);
    counters.flops += work.flops;
    counters.bytes += work.bytes;
    batcher.commit(plan, this);
  }

  /** The cost model answers otherwise from now on: passes that start later are asked for anew. */
  costChanged(): void {
    this.timer.costChanged();
  }

  /** Writes down the open row of passes. */
  close(_t: Ns): void {
    this.state.rows.close(this.pool.used);
  }

  // ── Requests come and go; the instance was advanced to t ──────────────────────────────────────

  submit(r: number, t: Ns): void {
    this.residents.submit(r, t);
    if (!this.flying) this.now = Math.max(this.now, t);
  }

  withdraw(r: number, t: Ns): boolean {
    return this.residents.withdraw(r, t);
  }

  /** The KV cache of r is in place (its blocks are this instance's): r joins the batch at the next pass. */
  receive(r: number, t: Ns): void {
    if (!this.flying) this.now = Math.max(this.now, t);
    this.residents.receive(r);
  }

  /** Takes a decoding request out between two passes; its blocks stay until the KV cache has moved. */
  detach(r: number): void {
    this.residents.detach(r);
  }

  /** Gives back all blocks of a request; what was published stays findable. */
  releaseBlocks(r: number): void {
    this.residents.releaseBlocks(r);
  }

  /** Blocks were freed by others: the request at the head of the queue may be admitted now. */
  unblock(): void {
    this.state.blocked = false;
  }

  /** The instance is gone at t: the pass in progress gives nothing. Returns what was lost, as `Residents.crash` does. */
  crash(t: Ns): { readonly requests: readonly number[]; readonly kvTokens: Tokens } {
    if (this.flying) this.counters.busyNs += t - this.startNs;
    this.flying = false;
    this.now = t;
    this.pausedUntil = 0;
    return this.residents.crash(t);
  }

  // ── What routers, admission, hand-overs and tables see ────────────────────────────────────────

  get role(): PoolRole {
    return this.state.role;
  }
  set role(role: PoolRole) {
    this.state.role = role;
  }

  /** After each prompt the router says where to decode. */
  get asksWhereToDecode(): boolean {
    return this.state.asksWhereToDecode;
  }
  set asksWhereToDecode(asks: boolean) {
    this.state.asksWhereToDecode = asks;
  }

  get coupling(): Coupling | undefined {
    return this.timer.coupling;
  }
  set coupling(coupling: Coupling | undefined) {
    this.timer.coupling = coupling;
  }

  /** The pass that was composed last. */
  get shape(): IterationShape {
    return this.batcher.plan.shape;
  }

  get outstanding(): number {
    return this.state.outstanding;
  }

  /** Prompts in the batch. */
  get prefills(): number {
    return this.batcher.prefills;
  }

  /** Sequences in the batch, prompts included. */
  get running(): number {
    return this.state.batch.length;
  }

  get decoding(): number {
    return this.batcher.decoding;
  }

  get decodeContext(): Tokens {
    return this.batcher.decodeContext;
  }

  get pendingPrefill(): Tokens {
    return this.state.pendingPrefill;
  }

  /** The oldest request in the batch; follow `runAfter` of the request table for the rest. −1 where empty. */
  get firstRunning(): number {
    return this.state.batch.first;
  }

  /** A pass is in progress that gives the decoding sequences a token: their blocks for it are taken. */
  get decodingNow(): boolean {
    return this.flying && this.state.decodes;
  }

  /** The i-th prompt of the batch, i < prefills, and how much of it the pass in progress computes. */
  promptAt(i: number): number {
    return this.state.prompts.at(i);
  }
  chunkAt(i: number): Tokens {
    return this.state.prompts.tokensAt(i);
  }

  /** Tokens that a decoding sequence has produced by now. */
  generatedSoFar(r: number): Tokens {
    return this.batcher.generatedSoFar(r);
  }

  /** Blocks of its own that a decoding sequence holds. */
  ownBlocks(r: number): Blocks {
    return this.state.decode.ownBlocks(r, this.decodingNow);
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

  /** Time with a pass in progress, up to t ≥ now. */
  busyUntil(t: Ns): Ns {
    return this.counters.busyNs + (this.flying ? Math.min(t, this.endNs) - this.startNs : 0);
  }

  observe(into: Observation, t: Ns): void {
    const { pool, counters } = this;
    into.waiting = this.waiting.length;
    into.running = this.running;
    into.ready = this.ready.length;
    into.decoding = this.decoding;
    into.decodeContext = this.decodeContext;
    into.pendingPrefill = this.pendingPrefill;
    into.kvUsed = pool.used;
    into.kvCached = pool.total - pool.free;
    into.kvTotal = pool.total;
    into.prefillRate = counters.prefillRate;
    into.decodePassNs = counters.decodePassNs;
    into.busyNs = counters.busyNs;
    into.busyUntilNs = this.busyUntil(t);
    into.outputTokens = counters.outputTokensDone;
    into.firstTokens = counters.prefillsDone;
    into.flops = counters.flops;
    into.bytes = counters.bytes;
  }

  totals(end: Ns): ReplicaTotals {
    const { pool, counters } = this;
    return {
      completed: counters.completed,
      outputTokens: counters.outputTokensDone,
      busyNs: this.busyUntil(end),
      kvBlocks: pool.total,
      kvPeak: counters.peakUsed,
      blockRefs: counters.blockRefs,
      hits: counters.hits,
      evictions: pool.evictions,
      stranded: pool.stranded,
      queueIntegral: counters.queueUntil(this.waiting.length, end),
      queuePeak: counters.queuePeak,
      ...this.batcher.totals(),
    };
  }
}
