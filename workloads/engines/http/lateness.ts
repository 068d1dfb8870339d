import { quantileOfSorted } from '../../metrics/percentile.ts';
import type { Ns } from '../../units.ts';

export interface LatenessSummary {
  readonly events: number;
  /** Arrival minus the server's own time of writing. */
  readonly p50: Ns;
  readonly p99: Ns;
  readonly max: Ns;
  /** Of the first event of each stream: the error of TTFT. */
  readonly firstP50: Ns;
  readonly firstP99: Ns;
  /** |change of lateness between neighbours of a stream|: the error of ITL. */
  readonly gapP50: Ns;
  readonly gapP99: Ns;
  readonly gapP999: Ns;
}

/**
 * How late a client stamps what a stamped server wrote on the same machine: no assumption about the server's pace is needed.
 *
 *   written   |a         |b
 *   arrived     |a'           |b'      lateness a'−a, b'−b;  ITL error |(b'−b) − (a'−a)|
 */
export class Lateness {
  readonly #skip: number;
  readonly #late: number[] = [];
  readonly #first: number[] = [];
  readonly #gaps: number[] = [];
  readonly #last = new Map<number, number>();
  readonly #seen = new Map<number, number>();

  /** `skip` events of each stream are warm-up: they count in no figure but that of the first event. */
  constructor(skip = 0) {
    this.#skip = skip;
  }

  add(stream: number, arrived: Ns, written: Ns): void {
    this.events++;
    const late = arrived - written;
    const seen = this.#seen.get(stream) ?? 0;
    this.#seen.set(stream, seen + 1);
    if (seen === 0) this.#first.push(late);
    const last = this.#last.get(stream);
    this.#last.set(stream, late);
    if (seen < this.#skip) return;
    this.#late.push(late);
    if (last !== undefined) this.#gaps.push(Math.abs(late - last));
  }

  /** All events, warm-up too. */
  events = 0;

  /** Undefined where nothing was seen. */
  summary(): LatenessSummary | undefined {
    if (this.#late.length === 0) return undefined;
    const late = Float64Array.from(this.#late).sort();
    const first = Float64Array.from(this.#first).sort();
    const gaps = Float64Array.from(this.#gaps).sort();
    const of = (sorted: Float64Array, percent: number) => quantileOfSorted(sorted, percent / 100);
    return {
      events: late.length,
      p50: of(late, 50),
      p99: of(late, 99),
      max: late.at(-1) ?? 0,
      firstP50: of(first, 50),
      firstP99: of(first, 99),
      gapP50: of(gaps, 50),
      gapP99: of(gaps, 99),
      gapP999: of(gaps, 99.9),
    };
  }
}
