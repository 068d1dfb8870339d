import type { Ns } from '../../units.ts';

interface Promotion {
  readonly start: Ns;
  readonly end: Ns;
  readonly share: number;
}

/** Together, transfers never take all of the decode speed. */
const mostShare = 0.95;

/**
 * Transfers up into one instance, and what they cost the sequences that decode there: while a transfer lasts, decoding goes on at
 * 1 − share of its speed; shares of transfers at the same time add up.
 *
 *   transfer, share ½      ├────────┤            from 2 to 6 ms
 *   pass alone           ├────────┤              from 0 to 5 ms
 *   pass beside it       ├────────────┤          from 0 to 7 ms: 2 ms at full speed, 4 at half, 1 at full
 */
export class Promotions {
  private readonly list: Promotion[] = [];

  add(start: Ns, end: Ns, share: number): void {
    if (share > 0 && end > start) this.list.push({ start, end, share });
  }

  clear(): void {
    this.list.length = 0;
  }

  get none(): boolean {
    return this.list.length === 0;
  }

  /** How long a pass takes that starts at `start` and would take `ns` alone. Passes are asked about in order of time. */
  stretched(start: Ns, ns: Ns): Ns {
    this.forgetBefore(start);
    if (this.list.length === 0) return ns;
    let t = start;
    let left = ns;
    for (;;) {
      let share = 0;
      let next = Number.POSITIVE_INFINITY;
      for (const promotion of this.list) {
        if (promotion.start > t) next = Math.min(next, promotion.start);
        else if (promotion.end > t) {
          share += promotion.share;
          next = Math.min(next, promotion.end);
        }
      }
      const speed = 1 - Math.min(share, mostShare);
      if (left <= speed * (next - t)) return Math.max(ns, Math.round(t + left / speed - start));
      left -= speed * (next - t);
      t = next;
    }
  }

  private forgetBefore(t: Ns): void {
    let kept = 0;
    for (const promotion of this.list) if (promotion.end > t) this.list[kept++] = promotion;
    this.list.length = kept;
  }
}
