import { InputError } from '../run/inputError.ts';
import { absentInt32 } from '../run/tables.ts';
import type { Ns, Tokens } from '../units.ts';
import { DenseIds } from './denseIds.ts';
import { OpenBlocks } from './openBlocks.ts';
import type { RequestSink } from './requestSink.ts';
import type { Traffic, Turns } from './traffic.ts';

/** The largest token count of one request: what an Int32 column holds. */
export const maxTokens = 2147483646;
/** The longest run: integer nanoseconds stay exact to 2^53, about 104 days. */
export const maxSpanNs = Number.MAX_SAFE_INTEGER;

/** @throws InputError where arrivals span more than a run can last */
export function checkSpan(name: string, spanNs: Ns): void {
  if (!(spanNs <= maxSpanNs))
    throw new InputError(
      `${name}: arrivals span ${(spanNs / 86400e9).toPrecision(3)} days, expected at most 104 days; --from and --to choose a part`,
    );
}

/**
 * Collects requests one by one, in any order, and makes the columns of a Traffic: sorted by arrival (equal arrivals stay
 * in the order in which they were added), counted from the first arrival, with block ids renumbered 0, 1, 2 … by first use.
 */
export class TrafficBuilder implements RequestSink {
  readonly #name: string;
  readonly #blockTokens: Tokens;
  #requests = 0;
  #sorted = true;
  #arrival = new Float64Array(1024);
  #prompt = new Int32Array(1024);
  #output = new Int32Array(1024);
  #priority = new Uint8Array(1024);
  #session = new Int32Array(1024);
  #offsets = new Int32Array(1025);
  #ids = new Int32Array(1024);
  /** Of requests that wait for an answer: the request before, in order of adding, and the think time. */
  readonly #follows = new Map<number, { readonly previous: number; readonly thinkNs: Ns }>();
  readonly #dense = new DenseIds();
  /** Blocks of the request that is not closed yet. */
  readonly #open = new OpenBlocks();

  constructor(name: string, blockTokens: Tokens) {
    this.#name = name;
    this.#blockTokens = blockTokens;
  }

  get requests(): number {
    return this.#requests;
  }

  block(id: number | string): boolean {
    const known = this.#dense.count;
    const dense = typeof id === 'number' ? this.#dense.of(id) : this.#dense.ofText(id);
    if (!this.#open.add(dense, dense < known)) return false;
    const next = (this.#offsets[this.#requests] ?? 0) + this.#open.count - 1;
    if (next >= this.#ids.length) this.#ids = grown(this.#ids, Int32Array);
    this.#ids[next] = dense;
    return true;
  }

  request(
    arrival: Ns,
    prompt: Tokens,
    output: Tokens,
    priority = 0,
    session = absentInt32,
    previous = -1,
    thinkNs: Ns = 0,
  ): void {
    if (previous >= 0) this.#follows.set(this.#requests, { previous, thinkNs });
    const r = this.#requests;
    if (r >= this.#arrival.length) {
      this.#arrival = grown(this.#arrival, Float64Array);
      this.#prompt = grown(this.#prompt, Int32Array);
      this.#output = grown(this.#output, Int32Array);
      this.#priority = grown(this.#priority, Uint8Array);
      this.#session = grown(this.#session, Int32Array);
      const offsets = new Int32Array(this.#arrival.length + 1);
      offsets.set(this.#offsets);
      this.#offsets = offsets;
    }
    if (r > 0 && arrival < (this.#arrival[r - 1] ?? 0)) this.#sorted = false;
    this.#arrival[r] = arrival;
    this.#prompt[r] = prompt;
    this.#output[r] = output;
    this.#priority[r] = priority;
    this.#session[r] = session;
    this.#offsets[r + 1] = (this.#offsets[r] ?? 0) + this.#open.count;
    this.#open.clear();
    this.#requests = r + 1;
  }

  traffic(): Traffic {
    const n = this.#requests;
    if (this.#sorted) return this.#asAdded();
    const arrival = this.#arrival;
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    order.sort((a, b) => (arrival[a] ?? 0) - (arrival[b] ?? 0) || a - b);
    const refs = this.#offsets[n] ?? 0;
    const first = this.#arrival[order[0] ?? 0] ?? 0;
    const arrivalNs = new Float64Array(n);
    const promptTokens = new Int32Array(n);
    const outputTokens = new Int32Array(n);
    const priority = new Uint8Array(n);
    const session = new Int32Array(n);
    const blockOffsets = new Int32Array(n + 1);
    const blockIds = new Int32Array(refs);
    // A reordered trace sees its blocks in another order: number them again.
    const renumbered = new Int32Array(this.#dense.count).fill(-1);
    let unique = 0;
    let written = 0;
    for (let i = 0; i < n; i++) {
      const r = order[i] ?? 0;
      arrivalNs[i] = (this.#arrival[r] ?? 0) - first;
      promptTokens[i] = this.#prompt[r] ?? 0;
      outputTokens[i] = this.#output[r] ?? 0;
      priority[i] = this.#priority[r] ?? 0;
      session[i] = this.#session[r] ?? absentInt32;
      const end = this.#offsets[r + 1] ?? 0;
      for (let b = this.#offsets[r] ?? 0; b < end; b++) {
        const id = this.#ids[b] ?? 0;
        if ((renumbered[id] ?? -1) < 0) renumbered[id] = unique++;
        blockIds[written++] = renumbered[id] ?? 0;
      }
      blockOffsets[i + 1] = written;
    }
    return this.#made(
      { arrivalNs, promptTokens, outputTokens, priority, session, blockOffsets, blockIds },
      (r) => order[r] ?? 0,
    );
  }

  /** The columns as they are, without copies. */
  #asAdded(): Traffic {
    const n = this.#requests;
    const arrivalNs = this.#arrival.subarray(0, n);
    const first = arrivalNs[0] ?? 0;
    if (first !== 0) for (let r = 0; r < n; r++) arrivalNs[r] = (arrivalNs[r] ?? 0) - first;
    return this.#made(
      {
        arrivalNs,
        promptTokens: this.#prompt.subarray(0, n),
        outputTokens: this.#output.subarray(0, n),
        priority: this.#priority.subarray(0, n),
        session: this.#session.subarray(0, n),
        blockOffsets: this.#offsets.subarray(0, n + 1),
        blockIds: this.#ids.subarray(0, this.#offsets[n] ?? 0),
      },
      (r) => r,
    );
  }

  /** `placeOf(i)`: which of the requests that were added is the i-th. */
  #made(
    columns: Pick<
      Traffic,
      'arrivalNs' | 'promptTokens' | 'outputTokens' | 'priority' | 'session' | 'blockOffsets' | 'blockIds'
    >,
    placeOf: (i: number) => number,
  ): Traffic {
    const n = this.#requests;
    const { arrivalNs, blockIds } = columns;
    const span = n === 0 ? 0 : (arrivalNs[n - 1] ?? 0);
    checkSpan(this.#name, span);
    return {
      name: this.#name,
      requests: n,
      ...columns,
      blockTokens: blockIds.length > 0 ? this.#blockTokens : 0,
      uniqueBlocks: blockIds.length > 0 ? this.#dense.count : 0,
      ...(this.#follows.size === 0 ? {} : { turns: this.#turns(placeOf) }),
    };
  }

  #turns(placeOf: (i: number) => number): Turns {
    const n = this.#requests;
    const place = new Int32Array(n);
    for (let i = 0; i < n; i++) place[placeOf(i)] = i;
    const previous = new Int32Array(n).fill(-1);
    const thinkNs = new Float64Array(n);
    for (const [r, follows] of this.#follows) {
      const i = place[r] ?? 0;
      previous[i] = place[follows.previous] ?? -1;
      thinkNs[i] = follows.thinkNs;
    }
    return { previous, thinkNs };
  }
}

function grown<T extends Float64Array | Int32Array | Uint8Array>(old: T, make: new (length: number) => T): T {
  const larger = new make(old.length * 2);
  larger.set(old);
  return larger;
}
