import type { Ns } from '../units.ts';
import { Sketch } from './sketch.ts';

/**
 * Steps of a window that slides over the run's clock. The window ends with the step that holds the latest time seen, and
 * holds `steps` steps, the last one being filled:
 *
 *   time ──►   │ 3 │ 4 │ 5 │ 6 │ 7·    │        steps = 5, the clock is in step 7: the window is steps 3..7
 *
 * Values may come out of order; one that falls before the window is counted in `late` and left out.
 */
class StepRing {
  readonly stepNs: Ns;
  readonly steps: number;
  /** Latest step seen; -1 before the first. */
  newest = -1;
  late = 0;

  constructor(windowNs: Ns, steps: number) {
    if (!(windowNs > 0 && Number.isInteger(steps) && steps > 0)) {
      throw new RangeError(`a window needs a length > 0 and steps ≥ 1, not ${windowNs} ns in ${steps}`);
    }
    this.steps = steps;
    this.stepNs = windowNs / steps;
  }

  /** Moves the clock on to `time`. The slots of the steps that left the window are `left(0)` … `left(result − 1)`. */
  advance(time: Ns): number {
    const step = Math.floor(time / this.stepNs);
    if (step <= this.newest) return 0;
    const gone = this.newest < 0 ? 0 : Math.min(this.steps, step - this.newest);
    this.newest = step;
    return gone;
  }

  /** The k-th latest slot: where a step left the window and a new one begins. */
  left(k: number): number {
    // Steps count from 0, so a young run has slots that no step has filled yet.
    return (this.newest - k + this.steps) % this.steps;
  }

  /** Slot of a time inside the window; -1 for one that came too late. */
  slot(time: Ns): number {
    const step = Math.floor(time / this.stepNs);
    if (step <= this.newest - this.steps || step < 0) {
      this.late++;
      return -1;
    }
    return step % this.steps;
  }

  /** The time that the window covers at `now`: less than its length at the start of a run. */
  covered(now: Ns): Ns {
    const from = Math.max(0, (this.newest - this.steps + 1) * this.stepNs);
    return Math.max(0, Math.max(now, this.newest * this.stepNs) - from);
  }
}

/** Percentiles of the values of the last W of the run's clock: a ring of sketches, one per step, merged when read. */
export class SlidingWindow {
  readonly #ring: StepRing;
  readonly #sketches: Sketch[];
  readonly #merged = new Sketch();
  #stale = true;

  constructor(windowNs: Ns, steps = 30) {
    this.#ring = new StepRing(windowNs, steps);
    this.#sketches = Array.from({ length: steps }, () => new Sketch());
  }

  /** `count` equal values at `time`. */
  add(time: Ns, value: number, count = 1): void {
    this.advance(time);
    const slot = this.#ring.slot(time);
    if (slot < 0) return;
    this.#sketches[slot]?.add(value, count);
    this.#stale = true;
  }

  /** Moves the clock on, so that old values leave though no new ones come. */
  advance(now: Ns): void {
    const gone = this.#ring.advance(now);
    for (let k = 0; k < gone; k++) this.#sketches[this.#ring.left(k)]?.clear();
    if (gone > 0) this.#stale = true;
  }

  /** Values that came after their step had left the window. */
  get late(): number {
    return this.#ring.late;
  }

  /** The window's values as one sketch; read it before the next `add`. */
  read(now: Ns): Sketch {
    this.advance(now);
    if (this.#stale) {
      this.#merged.clear();
      for (const sketch of this.#sketches) this.#merged.merge(sketch);
      this.#stale = false;
    }
    return this.#merged;
  }
}

/** Events per second over the last W of the run's clock: goodput, arrivals, tokens. */
export class SlidingRate {
  readonly #ring: StepRing;
  readonly #counts: Float64Array;

  constructor(windowNs: Ns, steps = 30) {
    this.#ring = new StepRing(windowNs, steps);
    this.#counts = new Float64Array(steps);
  }

  add(time: Ns, count = 1): void {
    this.advance(time);
    const slot = this.#ring.slot(time);
    if (slot >= 0) this.#counts[slot] = (this.#counts[slot] ?? 0) + count;
  }

  advance(now: Ns): void {
    const gone = this.#ring.advance(now);
    for (let k = 0; k < gone; k++) this.#counts[this.#ring.left(k)] = 0;
  }

  /** Events per second of the time covered; NaN while no time has passed. */
  perSecond(now: Ns): number {
    this.advance(now);
    const covered = this.#ring.covered(now);
    if (covered <= 0) return Number.NaN;
    let total = 0;
    for (const count of this.#counts) total += count;
    return total / (covered / 1e9);
  }
}
