import { type IterationShape, type IterationWork, wholeNs } from '../cost/costModel.ts';
import type { Ns } from '../units.ts';
import type { BatchState } from './batchState.ts';
import type { PassTimer } from './passTimer.ts';
import type { Residents } from './residents.ts';

/** Where an instance is in time; `DecodeRuns` moves it on. */
export interface PassClock {
  now: Ns;
  flying: boolean;
  startNs: Ns;
  endNs: Ns;
}

/** Runs many decode passes of an unchanged batch in one loop: only the simulator can, whose pass times lie on a line. */
export class DecodeRuns {
  private readonly state: BatchState;
  private readonly residents: Residents;
  private readonly timer: PassTimer;
  private readonly work: IterationWork = { flops: 0, bytes: 0 };

  constructor(state: BatchState, residents: Residents, timer: PassTimer) {
    this.state = state;
    this.residents = residents;
    this.timer = timer;
  }

  /**
   * Passes with the same batch, up to t, to the next end of a sequence or to a lack of blocks. The pass in progress is
   * decode-only and its blocks were taken.
   */
  run(clock: PassClock, shape: IterationShape, t: Ns): void {
    const { cost } = this.state.settings;
    const { pool, decode } = this.state;
    const n = decode.count;
    const ring = decode.ring;
    const size = this.state.blockTokens;
    const itl = this.state.itlMs;
    const base = this.timer.line.baseNs;
    const slope = this.timer.line.perContextTokenNs;
    const lastPass = decode.finishes.next;
    const firstStart = clock.startNs;
    const firstContext = decode.context;
    let start = firstStart;
    let end = clock.endNs;
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
        if (pool.journal !== undefined) clock.now = start;
        pool.take(blocks);
        if (this.state.tiers !== undefined) this.state.tiers.handDown(start);
      }
      const ns = base + slope * context;
      end = start + (ns > 1 ? Math.round(ns) : 1);
      if (end > t) break;
    }
    const done = pass - decode.pass;
    this.state.gaps?.ran(
      decode.pass + 1,
      done,
      clock.endNs - this.state.decodedNs,
      clock.endNs,
      wholeNs(base + slope * firstContext),
      duration,
      this.state.batch.first,
    );
    this.state.counters.busyNs += start - firstStart;
    this.state.counters.passesDone += done;
    this.state.rows.passed(done, start);
    this.state.counters.outputTokensDone += done * n;
    this.state.counters.decodePassNs = duration;
    // Work is a straight line in the context too: the mean context stands for all passes.
    shape.decodeContextTokens = firstContext + (n * (done - 1)) / 2;
    cost.work(shape, this.work);
    this.state.counters.flops += done * this.work.flops;
    this.state.counters.bytes += done * this.work.bytes;
    shape.decodeContextTokens = context;
    decode.pass = pass;
    decode.ringAt = at;
    decode.context = context;
    this.state.decodedNs = start;
    clock.now = start;
    this.state.counters.blocksUsed(pool.used);
    if (flying) {
      clock.startNs = start;
      this.state.plannedNs = start;
      clock.endNs = end;
      return;
    }
    // As `complete` leaves it: the next pass, if it starts now, was planned when the last one started.
    clock.flying = false;
    this.state.plannedNs = start - duration;
    clock.endNs = start;
    this.state.endedNs = start;
    if (pass === lastPass) {
      while (decode.finishes.next === pass) this.residents.finishDecoding(decode.finishes.pop(), start);
    }
  }
}
