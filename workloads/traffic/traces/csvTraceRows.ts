import { InputError } from '../../run/inputError.ts';
import { type TimeUnit, timeUnits } from '../../run/timeUnits.ts';
import { CsvRows, delimiterOf, latinPieces } from '../csvRows.ts';
import { Timestamp } from '../timestamps.ts';
import { columnNamed, type Field, TraceRow, type TraceRowHandler } from './traceRow.ts';

interface Place {
  readonly at: number;
  readonly name: string;
  readonly unit: TimeUnit | undefined;
}

/**
 * Rows of a trace in CSV: the columns are found by their names in the header, in any order, beside any others.
 *
 * @throws InputError `file:line: found, expected …`
 */
export class CsvTraceRows {
  readonly #name: string;
  readonly #handle: TraceRowHandler;
  readonly #row = new TraceRow();
  readonly #time = new Timestamp();
  #rows: CsvRows | undefined;
  #places: ReadonlyMap<Field, Place> | undefined;
  #width = 0;

  constructor(name: string, handle: TraceRowHandler) {
    this.#name = name;
    this.#handle = handle;
  }

  /** False where the handler wants no more. */
  push(bytes: Uint8Array): boolean {
    let chunk = bytes;
    if (this.#rows === undefined) {
      if (chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf) chunk = chunk.subarray(3);
      this.#rows = new CsvRows(this.#name, delimiterOf(firstLine(chunk)), (fields, line) =>
        this.#fields(fields, line),
      );
    }
    for (const piece of latinPieces(chunk)) if (!this.#rows.push(piece)) return false;
    return true;
  }

  end(): void {
    this.#rows?.end();
  }

  #bad(line: number, found: string, expected: string): never {
    throw new InputError(`${this.#name}:${line}: ${found}, expected ${expected}`);
  }

  #fields(fields: readonly string[], line: number): boolean {
    if (this.#places === undefined) {
      this.#places = this.#header(fields, line);
      this.#width = fields.length;
      return true;
    }
    if (fields.length > this.#width && fields.slice(this.#width).some((field) => field.trim() !== ''))
      this.#bad(line, `${fields.length} columns`, `${this.#width}, as in the header`);
    const row = this.#row;
    row.begin(line);
    for (const [field, place] of this.#places) this.#take(row, field, place, fields[place.at], line);
    return this.#handle(row);
  }

  #header(fields: readonly string[], line: number): ReadonlyMap<Field, Place> {
    const places = new Map<Field, Place>();
    fields.forEach((name, at) => {
      const column = columnNamed(name);
      const twin = column === undefined ? undefined : places.get(column.field);
      if (twin !== undefined && twin.name === bare(name))
        this.#bad(line, `two columns "${twin.name}"`, 'each name once');
      if (column !== undefined && !places.has(column.field))
        places.set(column.field, { at, name: bare(name), unit: column.unit });
    });
    const needed = (['prompt', 'output'] as const).find((field) => !places.has(field));
    if (needed !== undefined) {
      const found = fields.map((field) => bare(field)).join(',');
      const shown = found.length > 80 ? `${found.slice(0, 80)}…` : found;
      this.#bad(
        line,
        `header "${shown}" without a column of ${needed === 'prompt' ? 'prompt' : 'output'} tokens`,
        'one like TIMESTAMP,ContextTokens,GeneratedTokens',
      );
    }
    const { time, prompt, output } = Object.fromEntries(places) as Partial<Record<Field, Place>>;
    this.#row.timeName = time?.name ?? this.#row.timeName;
    this.#row.promptName = prompt?.name ?? this.#row.promptName;
    this.#row.outputName = output?.name ?? this.#row.outputName;
    return places;
  }

  #take(row: TraceRow, field: Field, place: Place, raw: string | undefined, line: number): void {
    const text = bare(raw ?? '');
    switch (field) {
      case 'time':
        this.#takeTime(row, place, text, line);
        return;
      case 'statedUnit':
        row.statedUnit = timeUnits.find((unit) => unit === text);
        return;
      case 'prompt':
        row.prompt = this.#number(place, text, line);
        return;
      case 'output':
        row.output = this.#number(place, text, line);
        return;
      case 'session':
      case 'chat':
      case 'parent':
        if (text !== '') row[field] = text;
        return;
      case 'delay':
        if (text === '') return;
        row.delay = this.#number(place, text, line);
        row.delayUnit = place.unit;
        return;
      case 'priority':
        if (text !== '') row.priority = Number(text);
        return;
      // Text and block ids are not given in a CSV trace.
      case 'ids':
      case 'text':
      case 'answer':
      case 'blockTokens':
        return;
      default:
        field satisfies never;
    }
  }

  #takeTime(row: TraceRow, { name, unit }: Place, text: string, line: number): void {
    if (text === '') return;
    if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) {
      row.time = Number(text);
      row.timeUnit = unit;
      row.timeDigits = /^\d{16,}$/.test(text) ? text : undefined;
      return;
    }
    if (!this.#time.parse(text))
      this.#bad(
        line,
        `${name} is "${text.slice(0, 40)}"`,
        'a time like 2023-11-16 18:17:03.9799600, or a number',
      );
    row.isDate = true;
    row.time = this.#time.second;
    row.nanosecond = this.#time.nanosecond;
    row.timeUnit = 's';
  }

  #number({ name }: Place, text: string, line: number): number {
    if (text === '') this.#bad(line, `no ${name}`, 'a number');
    if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text))
      this.#bad(line, `${name} is "${text.slice(0, 40)}"`, 'a number of tokens');
    return Number(text);
  }
}

/** A field without blanks and the quotes that a space before them left standing. */
function bare(field: string): string {
  const text = field.trim();
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).trim() : text;
}

function firstLine(bytes: Uint8Array): string {
  let end = 0;
  while (end < bytes.length && bytes[end] !== 10 && bytes[end] !== 13 && end < 8192) end++;
  return String.fromCharCode(...bytes.subarray(0, end));
}
