import { InputError } from '../../run/inputError.ts';
import { stream } from '../../run/random.ts';
import { absentInt32 } from '../../run/tables.ts';
import { type TimeUnit, unitNs } from '../../run/timeUnits.ts';
import type { Ns } from '../../units.ts';
import type { RequestSink } from '../requestSink.ts';
import type { TraceSource } from '../traffic.ts';
import { maxTokens } from '../trafficBuilder.ts';
import { isBlockCount } from './blockSize.ts';
import { longestContext, type TraceHints, type TracePlan } from './detectTrace.ts';
import type { TraceRow } from './traceRow.ts';

/** Which rows of a trace become requests. Times count from the first row. */
export interface TraceChoice extends TraceHints {
  readonly limit?: number | undefined;
  readonly from_s?: number | undefined;
  readonly to_s?: number | undefined;
  /** Share of the requests, or of whole sessions where there are some. */
  readonly sample?: number | undefined;
  readonly drop_empty?: boolean | undefined;
  readonly drop_oversized?: boolean | undefined;
}

interface Session {
  readonly index: number;
  /** The latest request in order of reading; -1 before the first one that is kept. */
  last: number;
  time: Ns;
  context: number;
  /** Whole blocks of the latest prompt, where later turns are added to it. */
  blocks: (number | string)[] | undefined;
}

/** Turns rows into requests: units, sessions, block ids, and what is to be left out. Rows may come in any order of time. */
export class Intake {
  readonly #name: string;
  readonly #place: (line: number) => string;
  readonly #plan: TracePlan;
  readonly #choice: TraceChoice;
  readonly #sink: RequestSink;
  readonly #sessions = new Map<string, Session>();
  readonly #arrivals;
  readonly #limit: number;
  readonly #fromNs: number;
  readonly #toNs: number;
  #clock = 0;
  #base: number | undefined;
  #baseDigits = 0n;
  #rows = 0;
  #empty = 0;
  #oversized = 0;
  #freshText = 0;

  constructor(
    name: string,
    plan: TracePlan,
    choice: TraceChoice,
    place: (line: number) => string,
    sink: RequestSink,
  ) {
    this.#name = name;
    this.#place = place;
    this.#plan = plan;
    this.#choice = choice;
    this.#sink = sink;
    this.#arrivals = stream(0, 'trace.arrivals');
    this.#limit = choice.limit ?? Number.POSITIVE_INFINITY;
    this.#fromNs = choice.from_s === undefined ? Number.NEGATIVE_INFINITY : choice.from_s * 1e9;
    this.#toNs = (choice.to_s ?? Number.POSITIVE_INFINITY) * 1e9;
  }

  /** False once there are enough. */
  readonly take = (row: TraceRow): boolean => {
    const at = this.#rows++;
    const session = this.#sessionOf(row);
    const delay = this.#delayNs(row, session);
    const time = this.#timeNs(row, session, delay);
    const prompt = this.#tokens(row, row.promptName, row.prompt, row.promptChars);
    const output = this.#tokens(
      row,
      row.outputName,
      Number.isNaN(row.output) ? (this.#choice.output_tokens ?? row.output) : row.output,
      row.answerChars,
    );
    const whole = this.#plan.addsTurns && session !== undefined ? session.context + prompt : prompt;
    if (session !== undefined) {
      session.time = time;
      session.context = whole + output;
    }
    if (prompt < 1 || output < 1) {
      if (this.#choice.drop_empty === true) {
        this.#empty++;
        return true;
      }
      const name = prompt < 1 ? row.promptName : row.outputName;
      this.#bad(
        row,
        `${name} is ${prompt < 1 ? prompt : output}`,
        'an integer from 1; --drop-empty leaves such requests out',
      );
    }
    if (whole > longestContext || output > longestContext) {
      if (this.#choice.drop_oversized === true) {
        this.#oversized++;
        return true;
      }
      const [name, value] = whole > longestContext ? [row.promptName, whole] : [row.outputName, output];
      this.#bad(
        row,
        `${name} is ${value}, more than any context`,
        `at most ${longestContext} tokens; --drop-oversized leaves such requests out`,
      );
    }
    if (time < this.#fromNs || time >= this.#toNs || !this.#isSampled(session, at)) return true;
    this.#blocks(row, session, whole);
    const previous = delay === undefined ? -1 : (session?.last ?? -1);
    if (session !== undefined) session.last = this.#sink.requests;
    this.#sink.request(
      time,
      whole,
      output,
      Number.isNaN(row.priority) ? 0 : Math.max(0, Math.min(255, Math.round(row.priority))),
      session?.index ?? absentInt32,
      previous,
      previous < 0 ? 0 : delay,
    );
    return this.#sink.requests < this.#limit;
  };

  /** How the file was understood, after its last row. */
  source(): TraceSource {
    const { dialect, time, blockTokens, findings } = this.#plan;
    if (this.#sink.requests === 0) {
      const dropped = this.#empty + this.#oversized;
      throw new InputError(
        this.#rows === 0
          ? `${this.#name}:1: no request, expected one ${this.#plan.shape === 'csv' ? 'line' : 'JSON object'} per request`
          : `${this.#name}: none of ${this.#rows} requests is left${dropped > 0 ? ` (${dropped} dropped)` : ''}, expected some; check --from, --to and --sample`,
      );
    }
    return {
      format: dialect.id,
      label: dialect.label,
      ...(time === 'none' || time === 'date' ? {} : { time_unit: time }),
      ...(blockTokens > 0 ? { block_tokens: blockTokens } : {}),
      findings,
      rows: this.#rows,
      ...(this.#empty > 0 ? { dropped_empty: this.#empty } : {}),
      ...(this.#oversized > 0 ? { dropped_oversized: this.#oversized } : {}),
    };
  }

  #bad(row: TraceRow, found: string, expected: string): never {
    throw new InputError(`${this.#place(row.line)}: ${found}, expected ${expected}`);
  }

  #sessionOf(row: TraceRow): Session | undefined {
    if (row.session !== undefined) return this.#session(`s${row.session}`);
    if (row.chat === undefined) return undefined;
    const isFirst = row.parent === undefined || row.parent === '-1' || row.parent === '';
    const session = this.#session(`c${isFirst ? row.chat : row.parent}`);
    if (!isFirst) this.#sessions.set(`c${row.chat}`, session);
    return session;
  }

  #sessionCount = 0;
  #session(key: string): Session {
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    const made: Session = {
      index: this.#sessionCount++,
      last: -1,
      time: Number.NaN,
      context: 0,
      blocks: undefined,
    };
    this.#sessions.set(key, made);
    return made;
  }

  /** Think time before a turn that waits for the answer before; undefined for a request that arrives at a time. */
  #delayNs(row: TraceRow, session: Session | undefined): Ns | undefined {
    if (session === undefined || Number.isNaN(session.time)) return undefined;
    if (!row.follows && !Number.isNaN(row.time)) return undefined;
    if (Number.isNaN(row.delay)) return 0;
    if (row.delay < 0) this.#bad(row, `delay is ${row.delay}`, '0 or more');
    const given = row.delayUnit === 'ms' ? this.#choice.time_unit : undefined;
    return Math.round(row.delay * unitNs[given ?? row.delayUnit ?? 'ms']);
  }

  #timeNs(row: TraceRow, session: Session | undefined, delay: Ns | undefined): Ns {
    if (delay !== undefined) return (session?.time ?? 0) + delay;
    const { time } = this.#plan;
    if (time === 'none') {
      this.#clock += this.#arrivals.exponential(1e9 / (this.#choice.rate_rps ?? 1));
      return Math.round(this.#clock);
    }
    if (Number.isNaN(row.time)) {
      const whose = row.session === undefined ? '' : ' for the first row of its session';
      this.#bad(row, `no ${row.timeName}${whose}`, 'a time');
    }
    if (!(row.time >= 0 && (row.time <= Number.MAX_SAFE_INTEGER || row.timeDigits !== undefined)))
      this.#bad(row, `${row.timeName} is ${row.time}`, 'a time, 0 or more');
    if (row.isDate !== (time === 'date'))
      this.#bad(row, row.isDate ? 'a time of day' : `the number ${row.time}`, 'a time like those before it');
    if (row.isDate) {
      this.#base ??= row.time;
      return (row.time - this.#base) * 1e9 + row.nanosecond;
    }
    return this.#sinceFirst(row, time === 'date' ? 's' : time);
  }

  /** The difference first, in the file's unit: times since 1970 in ns would not be exact. */
  #sinceFirst(row: TraceRow, unit: TimeUnit): Ns {
    if (this.#base === undefined) {
      this.#base = row.time;
      this.#baseDigits = BigInt(row.timeDigits ?? Math.trunc(row.time));
    }
    const since =
      row.timeDigits === undefined
        ? row.time - this.#base
        : Number(BigInt(row.timeDigits) - this.#baseDigits);
    return Math.round(since * unitNs[unit]);
  }

  #tokens(row: TraceRow, name: string, value: number, chars: number): number {
    if (!Number.isNaN(value)) {
      if (Number.isInteger(value) && value >= 0 && value <= maxTokens) return value;
      this.#bad(row, `${name} is ${value}`, `an integer 1 to ${maxTokens}`);
    }
    const perToken = this.#choice.chars_per_token;
    if (chars >= 0) {
      if (perToken !== undefined) return Math.max(1, Math.round(chars / perToken));
      this.#bad(
        row,
        `text of ${chars} characters and no ${name}`,
        'a number of tokens; --chars-per-token 4 estimates it from the text',
      );
    }
    this.#bad(
      row,
      `no ${name}`,
      name === row.outputName
        ? 'a number of tokens; --output-tokens N gives one to requests without'
        : 'a number of tokens',
    );
  }

  #isSampled(session: Session | undefined, row: number): boolean {
    const { sample } = this.#choice;
    if (sample === undefined || sample >= 1) return true;
    return hashed(session?.index ?? row) < sample;
  }

  #blocks(row: TraceRow, session: Session | undefined, whole: number): void {
    const size = this.#plan.blockTokens;
    if (size === 0) return;
    if (this.#plan.addsTurns && session !== undefined) {
      this.#addedBlocks(row, session, whole, size);
      return;
    }
    if (row.idCount < 0) {
      const blocks = Math.ceil(whole / size);
      this.#bad(row, 'no hash_ids', `${blocks} of them, as in the lines before`);
    }
    if (!isBlockCount(row.idCount, whole, size)) {
      this.#bad(
        row,
        `${row.idCount} hash_ids for ${row.promptName} ${whole}`,
        `${Math.ceil(whole / size)}, one per ${size} tokens; --block-tokens N gives another size`,
      );
    }
    for (let i = 0; i < row.idCount; i++) this.#block(row, row.ids[i] ?? -1);
    // A tail without an id of its own is shared with no other request.
    if (row.idCount < Math.ceil(whole / size)) this.#sink.block(this.#fresh());
  }

  /** The whole blocks of the turn before, then blocks of its own: the answer's tokens shift those of the new turn. */
  #addedBlocks(row: TraceRow, session: Session, whole: number, size: number): void {
    const ids: (number | string)[] =
      session.blocks !== undefined && session.blocks.length > 0
        ? [...session.blocks]
        : row.ids.slice(0, Math.max(0, row.idCount));
    const blocks = Math.ceil(whole / size);
    ids.length = Math.min(ids.length, blocks);
    while (ids.length < blocks) ids.push(this.#fresh());
    for (const id of ids) this.#block(row, id);
    ids.length = Math.floor(whole / size);
    session.blocks = ids;
  }

  #fresh(): string {
    return `fresh ${this.#freshText++}`;
  }

  #block(row: TraceRow, id: number | string): void {
    if (typeof id === 'string' && !id.startsWith('"') && !id.startsWith('fresh ') && !/^\d+$/.test(id))
      this.#bad(row, `hash id ${id}`, 'an integer from 0, or a string');
    if (!this.#sink.block(id)) {
      const text = typeof id === 'string' ? id.replace(/^"/, '') : id;
      this.#bad(row, `hash id ${text} twice in one request`, 'each block of a prompt once');
    }
  }
}

/** 0 .. 1 by a mix of the bits: the same rows for the same share, whatever else is chosen. */
function hashed(value: number): number {
  let h = Math.imul(value ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}
