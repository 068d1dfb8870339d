import { wholeNs } from '../cost/costModel.ts';
import type { Blocks, Ns, Tokens } from '../units.ts';
import type { Executor } from './executor.ts';
import { InstanceResidents, watermark } from './instanceResidents.ts';
import type { Replica } from './replica.ts';
import { Phase } from './requestTable.ts';

/**
 * One model replica with continuous batching: the batch, its KV blocks and its clock. What a pass holds is the scheduler's
 * business (`schedulers/`), which puts it together out of the steps here: blocks for the decoding sequences, chunks for the
 * prompts in the batch, admission.
 *
 * The instance is advanced lazily: `advanceTo(t)` runs every pass that starts before t, and passes with the same batch in
 * one loop (`runDecodePasses`).
 */
export class Instance extends InstanceResidents implements Replica {
  /** Passes that were handed to an executor. */
  private launches = 0;
  /** The block is in the pool; made once, since every admission asks. */
  private readonly inPool = (id: number): boolean => this.pool.has(id);

  /** Runs every pass that starts before t; one that ends later stays in progress. */
  advanceTo(t: Ns): void {
    // What an executor runs ends when the executor says so.
    if (this.settings.executor !== undefined) return;
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
   * The next pass may admit requests, or take blocks away from some: both may look at the tiers. A request that was not admitted
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
      // The whole batch was preempted: its blocks are free now, so a waiting request may have them at once.
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
    if (this.settings.executor === undefined) {
      const alone = this.passNs();
      this.endNs =
        start + (this.tiers === undefined || decode.count === 0 ? alone : this.tiers.passNs(start, alone));
      if (swap !== undefined) this.endNs += swap.takeStall();
    } else this.execute(this.settings.executor);
    this.rows.begin(start, shape.prefillTokens, shape.decodeSequences, shape.decodeContextTokens, pool.used);
  }

  /** Hands the pass that was put together to an executor; when it ends is known when it has ended. */
  private execute(executor: Executor): void {
    this.endNs = Number.POSITIVE_INFINITY;
    const launch = ++this.launches;
    executor.run(this, this.planPass(), this.startNs, (result) => {
      // A crash of the instance may have ended the pass before the device did.
      if (!this.flying || launch !== this.launches) return;
      this.startNs = result.startNs;
      this.rows.startedAt(result.startNs);
      this.events.executed?.(this, result);
    });
  }

  protected swapsOut(r: number, blocks: Blocks): void {
    const table = this.pool.tables?.of(r) ?? [];
    this.settings.executor?.swapsOut?.(r, table.slice(0, blocks));
  }

  protected swapsIn(r: number): void {
    this.settings.executor?.swapsIn?.(r, [...(this.pool.tables?.of(r) ?? [])]);
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
      pool.tables?.admit(r, traffic.blockIds, from, hit, hit + fresh);
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

  close(_t: Ns): void {
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
    // Simulated passes follow each other at once; on a device there is time between them, which belongs to the gap of a token.
    const isReal = this.settings.executor !== undefined;
    const gap = isReal ? end - this.decodedNs : duration;
    if (this.decodes) {
      decode.step();
      if (decode.count > 0) this.gaps?.passed(decode.pass, end - this.decodedNs, end, this.batch.first);
      this.decodedNs = end;
    }
    if (decode.count > 0 && this.decodes) {
      this.decodePassNs = duration;
      this.outputTokensDone += decode.count + decode.extra;
      this.itlMs.add(gap / 1e6, decode.count - this.late.length);
      if (this.late.length > 0) this.late.end(isReal ? end - this.plannedNs : duration, this.itlMs);
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

  /** The cost model answers otherwise from now on: passes that start later are asked for anew. */
  costChanged(): void {
    this.lineFor = -1;
    this.straight = false;
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
      this.plannedNs = start;
      this.endNs = end;
      return;
    }
    // As `complete` leaves it: the next pass, if it starts now, was planned when the last one started.
    this.flying = false;
    this.plannedNs = start - duration;
    this.endNs = start;
    if (pass === lastPass) {
      while (decode.finishes.next === pass) this.finishDecoding(decode.finishes.pop(), start);
    }
  }
}
