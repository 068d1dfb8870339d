/** Something that can be drawn again. */
export interface Drawable {
  readonly isVisible: boolean;
  draw(): void;
}

export interface FrameClock {
  now(): number;
  request(callback: () => void): void;
}

const browserClock: FrameClock = {
  now: () => performance.now(),
  request: (callback) => {
    requestAnimationFrame(callback);
  },
};

/**
 * The one animation loop of the window. Data marks drawables dirty; a frame draws dirty visible ones while they are
 * expected to fit its budget and leaves the rest, in order, to the next frame. A drawable is drawn at most once per `intervalMs`.
 * Hidden ones stay dirty and cost nothing.
 */
export class FrameScheduler {
  private readonly dirty = new Set<Drawable>();
  private readonly drawnAt = new WeakMap<Drawable, number>();
  /** What a drawable cost the last time, ms. */
  private readonly lastCost = new WeakMap<Drawable, number>();
  private isRequested = false;
  private readonly clock: FrameClock;
  private readonly budgetMs: number;
  private readonly intervalMs: number;
  /** Cost of the latest frames, ms. */
  readonly costs: number[] = [];

  constructor(clock: FrameClock = browserClock, budgetMs = 10, intervalMs = 80) {
    this.clock = clock;
    this.budgetMs = budgetMs;
    this.intervalMs = intervalMs;
  }

  mark(drawable: Drawable): void {
    this.dirty.add(drawable);
    this.requestFrame();
  }

  /** Now, whatever the interval: the user did something. */
  markUrgent(drawable: Drawable): void {
    this.drawnAt.delete(drawable);
    this.mark(drawable);
  }

  forget(drawable: Drawable): void {
    this.dirty.delete(drawable);
  }

  /** p50 and p99 of what frames cost, ms. */
  get cost(): { readonly n: number; readonly p50: number; readonly p99: number } {
    const sorted = [...this.costs].sort((a, b) => a - b);
    const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
    return { n: sorted.length, p50: at(0.5), p99: at(0.99) };
  }

  private requestFrame(): void {
    if (this.isRequested) return;
    this.isRequested = true;
    this.clock.request(() => this.frame());
  }

  private frame(): void {
    this.isRequested = false;
    const start = this.clock.now();
    let drawn = 0;
    let waits = false;
    for (const drawable of [...this.dirty]) {
      if (!drawable.isVisible) continue;
      if (start - (this.drawnAt.get(drawable) ?? Number.NEGATIVE_INFINITY) < this.intervalMs) {
        waits = true;
        continue;
      }
      // One is always drawn; another only where it is expected to fit.
      const before = this.clock.now();
      if (drawn > 0 && before - start + (this.lastCost.get(drawable) ?? 0) >= this.budgetMs) {
        waits = true;
        break;
      }
      this.dirty.delete(drawable);
      drawable.draw();
      this.lastCost.set(drawable, this.clock.now() - before);
      this.drawnAt.set(drawable, start);
      drawn += 1;
    }
    if (drawn > 0) {
      this.costs.push(this.clock.now() - start);
      if (this.costs.length > 1000) this.costs.splice(0, 500);
    }
    if (waits) this.requestFrame();
  }
}
