import type { Ns } from '../units.ts';
import { type CollectedGaps, meanOfLongest } from './collectedGaps.ts';
import { Phase, type RequestTable } from './requestTable.ts';

/** Passes of a run are told apart once their lengths differ by so much: gaps are right to half of it. */
const spread = 0.002;

/**
 * The gaps between the tokens of each request, for TBT10: the mean of the longest tenth of them.
 *
 * No token is looked at. All sequences of a batch share its passes, so one log of passes per instance is enough, and in it a
 * run of like passes is one entry (or a few, where they grow longer by more than 0.2 %). A request asks once, when it leaves
 * the batch: its gaps are the entries since it joined, but for the first one, which reaches back to its own last token.
 *
 *   passes   ▏7 × 5.1 ms ▏ 31 ms ▏ 12 × 5.4 ms ▏ 40 ms ▏…
 *   request          joins ▲──────────────────────────▲ leaves: 12 × 5.4, 1 × 40
 */
export class TokenGaps {
  private readonly requests: RequestTable;
  private readonly found: CollectedGaps;
  /** Three numbers per entry: its first pass, its gap, and the end of its first pass (NaN for the later parts of a run). */
  private log = new Float64Array(3 * 32);
  private length = 0;

  constructor(requests: RequestTable) {
    this.requests = requests;
    this.found = requests.collectedGaps;
  }

  /** A decode pass ended; `gap` since the end of the one before it. `first`: the oldest request of the batch. */
  passed(pass: number, gap: Ns, end: Ns, first: number): void {
    if (3 * this.length === this.log.length) this.makeRoom(first);
    const at = 3 * this.length++;
    this.log[at] = pass;
    this.log[at + 1] = gap;
    this.log[at + 2] = end;
  }

  /**
   * `count` decode passes ended, the first at `firstEnd`, `firstGap` after the one before it. Without what the first one waited
   * for, their lengths lie on a line from `lineNs` to `lastNs`.
   */
  ran(pass: number, count: number, firstGap: Ns, firstEnd: Ns, lineNs: Ns, lastNs: Ns, first: number): void {
    if (count === 1 || lastNs - lineNs <= spread * lineNs) {
      const alone = count === 1 || firstGap !== lineNs;
      this.passed(pass, alone ? firstGap : (lineNs + lastNs) / 2, firstEnd, first);
      if (alone && count > 1) this.passed(pass + 1, (lineNs + lastNs) / 2, Number.NaN, first);
      return;
    }
    this.passed(pass, firstGap, firstEnd, first);
    const rest = count - 1;
    const parts = Math.min(rest, Math.ceil((lastNs / lineNs - 1) / spread));
    const step = (lastNs - lineNs) / parts;
    for (let i = 0; i < parts; i++) {
      this.passed(pass + 1 + Math.floor((i * rest) / parts), lineNs + (i + 0.5) * step, Number.NaN, first);
    }
  }

  /** Drops gaps that no sequence of the batch has seen; grows where that frees little. */
  private makeRoom(first: number): void {
    const { requests } = this;
    let oldest = Number.POSITIVE_INFINITY;
    for (let r = first; r >= 0; r = requests.runAfter[r] ?? -1) {
      if (requests.phase[r] === Phase.decoding) oldest = Math.min(oldest, requests.joinPass[r] ?? 0);
    }
    const from = this.find(oldest + 1);
    this.log.copyWithin(0, 3 * from, 3 * this.length);
    this.length -= from;
    if (6 * this.length >= this.log.length) this.log = larger(this.log);
  }

  /** The first entry that starts at `pass` or later. */
  private find(pass: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.log[3 * middle] ?? 0) < pass) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** r leaves the batch after `pass` passes: collects its gaps since it joined. */
  collect(r: number, pass: number): void {
    const { requests, found, log } = this;
    found.length = 0;
    const joined = requests.joinPass[r] ?? 0;
    if (joined === pass) return;
    const from = this.find(joined + 1);
    found.reserve(this.length - from + 1);
    let at = 3 * from;
    for (let i = from; i < this.length; i++) {
      const next = i + 1 < this.length ? (log[at + 3] ?? 0) : pass + 1;
      let count = next - (log[at] ?? 0);
      if (i === from) {
        found.push((log[at + 2] ?? 0) - (requests.lastTokenNs[r] ?? 0), 1);
        count--;
      }
      if (count > 0) found.push(log[at + 1] ?? 0, count);
      at += 3;
    }
  }

  /** r goes on elsewhere, or later: what was collected is kept for its end. */
  keep(r: number): void {
    const { found } = this;
    for (let i = 0; i < found.length; i++) this.add(r, found.gaps[i] ?? 0, found.counts[i] ?? 0);
    found.length = 0;
  }

  /** A gap that no pass of a batch made: the prompt of a preempted request was computed again. */
  add(r: number, gap: Ns, count = 1): void {
    const kept = this.requests.keptGaps.get(r);
    if (kept === undefined) this.requests.keptGaps.set(r, [gap, count]);
    else kept.push(gap, count);
  }

  /** r has all its tokens: writes its TBT10 down. A request with one token has none. */
  finish(r: number): void {
    const { requests, found } = this;
    const gaps = (requests.traffic.outputTokens[r] ?? 0) - 1;
    if (requests.keptGaps.size > 0) {
      const kept = requests.keptGaps.get(r) ?? [];
      requests.keptGaps.delete(r);
      found.reserve(found.length + kept.length / 2);
      for (let i = 0; i < kept.length; i += 2) found.push(kept[i] ?? 0, kept[i + 1] ?? 0);
    }
    if (gaps > 0) {
      requests.tbt10Ns[r] = meanOfLongest(found.gaps, found.counts, found.length, Math.ceil(gaps / 10));
    }
    found.length = 0;
  }
}

function larger(old: Float64Array): Float64Array<ArrayBuffer> {
  const column = new Float64Array(old.length * 2);
  column.set(old);
  return column;
}
