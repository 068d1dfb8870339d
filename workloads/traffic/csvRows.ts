import papaparse from 'papaparse';
import { InputError } from '../run/inputError.ts';
import { maxLineBytes } from './lines.ts';

/** Handles the fields of one row and the line on which it begins (from 1); false stops the reading. */
export type RowHandler = (fields: readonly string[], line: number) => boolean;

/**
 * A CSV file row by row from pieces of its text: quoted fields with delimiters, quotes and line breaks inside, LF, CRLF or
 * CR, rows of unequal length. Blank rows are skipped. Memory is bounded by the longest row allowed (16 MiB).
 *
 *   const rows = new CsvRows('t.csv', ',', (fields, line) => …);
 *   for (const piece of pieces) if (!rows.push(piece)) break;
 *   rows.end();
 *
 * @throws InputError `file:line: …` for a quoted field that never ends or goes on behind its closing quote
 */
export class CsvRows {
  readonly #name: string;
  readonly #parser: InstanceType<typeof papaparse.Parser>;
  readonly #handle: RowHandler;
  #rest = '';
  #pieces: string[] = [];
  /** Characters that wait for the end of their row, and how many there must be before they are looked at again. */
  #waiting = 0;
  #enough = 0;
  #line = 1;
  #stopped = false;

  constructor(name: string, delimiter: string, handle: RowHandler) {
    this.#name = name;
    this.#parser = new papaparse.Parser({ delimiter, newline: '\n' });
    this.#handle = handle;
  }

  /** False once the handler wants no more. */
  push(piece: string): boolean {
    if (this.#stopped) return false;
    this.#pieces.push(piece);
    this.#waiting += piece.length;
    // Without a line break there is no row; a field that spans many lines is looked at again when it has doubled.
    const hasEnd = piece.includes('\n') || piece.includes('\r');
    if (this.#waiting > maxLineBytes + piece.length) this.#tooLong();
    if (!hasEnd || this.#waiting < this.#enough) return true;
    let text = this.#pieces.join('');
    // A CR at the end may be the first half of a CRLF.
    const held = text.endsWith('\r') ? '\r' : '';
    if (held !== '') text = text.slice(0, -1);
    this.#parse(text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text, true);
    this.#pieces = [this.#rest + held];
    this.#waiting = this.#rest.length + held.length;
    this.#enough = this.#rest.length * 2;
    this.#rest = '';
    if (this.#waiting > maxLineBytes) this.#tooLong();
    return !this.#stopped;
  }

  end(): void {
    const text = this.#pieces.join('');
    if (this.#stopped || text === '') return;
    this.#parse(text.replace(/\r\n?/g, '\n'), false);
  }

  #tooLong(): never {
    throw new InputError(
      `${this.#name}:${this.#line}: a row longer than ${maxLineBytes / 1048576} MiB, expected a quoted field to end`,
    );
  }

  #parse(text: string, more: boolean): void {
    const { data, errors, meta } = this.#parser.parse(text, 0, more);
    this.#rest = more ? text.slice(meta.cursor) : '';
    const broken = errors.find(({ code }) => code === 'MissingQuotes' || code === 'InvalidQuotes');
    const brokenRow = broken === undefined ? Number.POSITIVE_INFINITY : (broken.row ?? 0);
    for (let r = 0; r < data.length; r++) {
      if (r === brokenRow) this.#malformed();
      const fields = data[r] ?? [];
      const line = this.#line;
      this.#line++;
      for (const field of fields) if (field.includes('\n')) this.#line += field.split('\n').length - 1;
      if (fields.every((field) => field.trim() === '')) {
        if (fields.length <= 1) continue;
        // A row of empty fields counts as a row: a table of units may have one.
      }
      if (!this.#handle(fields, line)) {
        this.#stopped = true;
        return;
      }
    }
    if (broken !== undefined && (!more || broken.code === 'InvalidQuotes')) this.#malformed();
  }

  #malformed(): never {
    throw new InputError(
      `${this.#name}:${this.#line}: a quoted field that does not end, expected a closing quote before the next comma`,
    );
  }
}

/** The delimiter of a header line: the one of comma, semicolon and tab that stands in it most often. */
export function delimiterOf(header: string): ',' | ';' | '\t' {
  const outside = header.replace(/"[^"]*"/g, '');
  const count = (mark: string): number => outside.split(mark).length;
  const best = ([',', ';', '\t'] as const).reduce((a, b) => (count(b) > count(a) ? b : a));
  return best;
}

/** Part of every host of JavaScript; this room sees the types of none. */
declare const TextDecoder: new (encoding: 'latin1') => { readonly decode: (bytes: Uint8Array) => string };
const latin = new TextDecoder('latin1');

/** Pieces of text from bytes, one character per byte: numbers, dates and ids need no more. */
export function* latinPieces(bytes: Uint8Array): Generator<string> {
  const step = 65_536;
  for (let at = 0; at < bytes.length; at += step)
    yield latin.decode(bytes.subarray(at, Math.min(bytes.length, at + step)));
}
