import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { badFile } from '../captureError.ts';
import type { ImportBudget } from '../importBudget.ts';
import { parseCreateTable, type SqliteColumn } from './sqliteSchema.ts';

/**
 * Reads the tables of an SQLite database file, each from its first row to its last; it runs no SQL. That is all an
 * import needs, and it makes a hostile file harmless: no page is read twice, so the work is bounded by the file's size
 * whatever its pointers say; there are no views, triggers or expressions to run; nothing is written beside the report
 * (no lock, no journal). Memory is one cache of a few MiB, whatever the file's size.
 *
 * Format: sqlite.org/fileformat2.html. In short:
 *
 *     page 1: [100-byte header][b-tree page of sqlite_schema]        big-endian throughout
 *     b-tree page: type 5 = interior (child page, rowid), 13 = leaf (payload length, rowid, payload)
 *     payload: header of varints (its own length, then one serial type per column), then the values
 *     a payload longer than a page's share goes on in a chain of overflow pages
 *
 * Not read: WITHOUT ROWID tables, UTF-16 databases, a hot journal or write-ahead log beside the file. Nsight Systems
 * writes none of these.
 */
export interface SqliteTable {
  readonly name: string;
  readonly columns: readonly SqliteColumn[];
  readonly rootPage: number;
  readonly rowidColumn: number | undefined;
}

/** The values of the row that a scan stands at. `slot` is the index into the names given to `scan`. */
export interface Row {
  /** NaN where the value is NULL, text, or the column is absent. Exact up to 2^53. */
  number(slot: number): number;
  /** The low 48 bits of an integer, exact: nsys keeps process and thread there, under bits that overflow a double. */
  low48(slot: number): number;
  bigint(slot: number): bigint | undefined;
  text(slot: number): string | undefined;
  /** Where the value's bytes lie in the file: one piece, or several where the row has overflow pages. */
  pieces(slot: number): readonly FilePiece[];
}

export interface FilePiece {
  readonly offset: number;
  readonly length: number;
}

const magic = 'SQLite format 3\0';
const blockBytes = 1 << 18;
const cachedBlocks = 16;
/** SQLite's own limit for a b-tree's depth. */
const maxDepth = 20;
/** Longest value that is read; longer ones end the import. */
const maxPayload = 1 << 26;

export class SqliteFile {
  readonly path: string;
  private readonly fd: number;
  private readonly budget: ImportBudget;
  private readonly size: number;
  private readonly pageSize: number;
  private readonly usable: number;
  private readonly pageCount: number;
  private readonly blocks = new Map<number, Buffer>();
  private readonly found = new Map<string, SqliteTable>();

  private constructor(path: string, fd: number, budget: ImportBudget) {
    this.path = path;
    this.fd = fd;
    this.budget = budget;
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw badFile(path, 'is not a file');
    this.size = stats.size;
    budget.checkSize(this.size);
    const head = Buffer.alloc(100);
    const got = readSync(fd, head, 0, 100, 0);
    if (got === 0) throw badFile(path, 'is empty; expected an SQLite export of an Nsight Systems report');
    if (got < 100 || head.toString('latin1', 0, 16) !== magic) {
      throw badFile(
        path,
        'is not an SQLite database',
        'make one with: nsys export --type sqlite REPORT.nsys-rep',
      );
    }
    // Format versions of 2 say that writers keep a log beside the file.
    const log = head.readUInt8(18) === 2 ? statSync(`${path}-wal`, { throwIfNoEntry: false }) : undefined;
    if (log !== undefined && log.size > 32) {
      throw badFile(
        path,
        `has ${log.size} bytes of a write-ahead log that are not in it yet (${path}-wal), expected a closed database`,
        `close the program that writes it, or: sqlite3 ${path} "PRAGMA wal_checkpoint(TRUNCATE)"`,
      );
    }
    const pageSize = head.readUInt16BE(16);
    this.pageSize = pageSize === 1 ? 65_536 : pageSize;
    if (this.pageSize < 512 || (this.pageSize & (this.pageSize - 1)) !== 0)
      throw badFile(path, `has a page size of ${pageSize}`);
    this.usable = this.pageSize - head.readUInt8(20);
    if (this.usable < 480) throw badFile(path, 'reserves nearly all of each page');
    if (head.readUInt32BE(56) > 1) throw badFile(path, 'is not UTF-8 encoded');
    this.pageCount = Math.floor(this.size / this.pageSize);
    const stated = head.readUInt32BE(28);
    if (this.size % this.pageSize !== 0 || stated > this.pageCount) {
      throw badFile(
        path,
        `is cut off: ${this.size} of ${stated * this.pageSize} bytes are there`,
        'export it again',
      );
    }
  }

  static async open(path: string, budget: ImportBudget): Promise<SqliteFile> {
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch (error) {
      throw badFile(
        path,
        `cannot be opened (${error instanceof Error && 'code' in error ? String(error.code) : String(error)})`,
      );
    }
    try {
      const file = new SqliteFile(path, fd, budget);
      const schema: SqliteTable = {
        name: 'sqlite_schema',
        columns: schemaColumns,
        rootPage: 1,
        rowidColumn: undefined,
      };
      await file.scan(schema, ['type', 'name', 'rootpage', 'sql'], (row) => {
        const name = row.text(1);
        const rootPage = row.number(2);
        if (row.text(0) !== 'table' || name === undefined || !(rootPage > 1)) return;
        const parsed = parseCreateTable(row.text(3) ?? '');
        if (parsed === undefined || parsed.withoutRowid) return;
        file.found.set(name, { name, columns: parsed.columns, rootPage, rowidColumn: parsed.rowidColumn });
      });
      return file;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** By name; views and virtual tables are not among them. */
  get tables(): ReadonlyMap<string, SqliteTable> {
    return this.found;
  }

  close(): void {
    closeSync(this.fd);
  }

  /**
   * Calls `visit` for each row, in order of rowid. A column that the table lacks reads as NULL. `visitUnused` gets the
   * bytes of the table's pages that hold no row: SQLite leaves old rows there, readable in the file.
   */
  async scan(
    table: SqliteTable,
    columns: readonly string[],
    visit: (row: Row) => void,
    visitUnused?: (piece: FilePiece) => void,
  ): Promise<void> {
    const slots = columns.map((name) => table.columns.findIndex((c) => c.name === name));
    const row = new StoredRow(slots, table.rowidColumn, (what) => this.damaged(table, what));
    const seen = new Uint8Array(this.pageCount + 1);
    // Pages still to visit, the next one last. Depth is bounded so that a chain of one-child pages ends early too.
    const pending: { page: number; depth: number }[] = [{ page: table.rootPage, depth: 0 }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (this.budget.isDue()) await this.budget.breathe();
      const page = this.page(next.page, seen, table);
      const base = next.page === 1 ? 100 : 0;
      const kind = page.readUInt8(base);
      const cells = page.readUInt16BE(base + 3);
      const pointers = base + (kind === 5 ? 12 : 8);
      if (kind !== 5 && kind !== 13) throw this.damaged(table, `page ${next.page} is of kind ${kind}`);
      if (pointers + 2 * cells > this.usable)
        throw this.damaged(table, `page ${next.page} claims ${cells} cells`);
      if (visitUnused !== undefined) {
        const content = page.readUInt16BE(base + 5) || 65_536;
        const from = pointers + 2 * cells;
        if (content > from && content <= this.pageSize) {
          visitUnused({ offset: (next.page - 1) * this.pageSize + from, length: content - from });
        }
      }
      if (kind === 5) {
        if (next.depth >= maxDepth) throw this.damaged(table, 'its tree is too deep');
        pending.push({ page: page.readUInt32BE(base + 8), depth: next.depth + 1 });
        for (let i = cells - 1; i >= 0; i -= 1) {
          const cell = page.readUInt16BE(pointers + 2 * i);
          if (cell + 4 > this.usable) throw this.damaged(table, `page ${next.page} points outside itself`);
          pending.push({ page: page.readUInt32BE(cell), depth: next.depth + 1 });
        }
        continue;
      }
      for (let i = 0; i < cells; i += 1) {
        this.budget.spendRow();
        const cell = page.readUInt16BE(pointers + 2 * i);
        this.readCell(next.page, page, cell, row, seen, table);
        visit(row);
      }
    }
  }

  private readCell(
    number: number,
    page: Buffer,
    cell: number,
    row: StoredRow,
    seen: Uint8Array,
    table: SqliteTable,
  ): void {
    const length = varint(page, cell, this.usable);
    const rowid = varint(page, length.end, this.usable);
    const start = rowid.end;
    const inPage = this.usable - 35;
    const inFile = (number - 1) * this.pageSize + start;
    if (length.value <= inPage) {
      if (start + length.value > this.usable) throw this.damaged(table, 'a row runs over its page');
      row.set(page, start, start + length.value, rowid.value, [{ offset: inFile, length: length.value }]);
      return;
    }
    if (length.value > maxPayload || length.value > this.size)
      throw this.damaged(table, `a row claims ${length.value} bytes`);
    // The share that stays in the page, by the format's own rule.
    const least = Math.floor(((this.usable - 12) * 32) / 255) - 23;
    const surplus = least + ((length.value - least) % (this.usable - 4));
    const local = surplus <= inPage ? surplus : least;
    if (start + local + 4 > this.usable) throw this.damaged(table, 'a row runs over its page');
    const payload = Buffer.allocUnsafe(length.value);
    page.copy(payload, 0, start, start + local);
    const pieces = [{ offset: inFile, length: local }];
    let filled = local;
    let overflow = page.readUInt32BE(start + local);
    while (filled < length.value) {
      const more = this.page(overflow, seen, table);
      const share = Math.min(this.usable - 4, length.value - filled);
      more.copy(payload, filled, 4, 4 + share);
      pieces.push({ offset: (overflow - 1) * this.pageSize + 4, length: share });
      filled += share;
      overflow = more.readUInt32BE(0);
    }
    row.set(payload, 0, length.value, rowid.value, pieces);
  }

  /** One page, through the cache. `seen` turns a loop among pages into an error. */
  private page(number: number, seen: Uint8Array, table: SqliteTable): Buffer {
    if (number < 1 || number > this.pageCount)
      throw this.damaged(table, `points to page ${number} of ${this.pageCount}`);
    if (seen[number] === 1) throw this.damaged(table, `reaches page ${number} twice`);
    seen[number] = 1;
    const at = (number - 1) * this.pageSize;
    const index = Math.floor(at / blockBytes);
    let block = this.blocks.get(index);
    if (block === undefined) {
      block = Buffer.allocUnsafe(Math.min(blockBytes, this.size - index * blockBytes));
      let filled = 0;
      while (filled < block.length) {
        const got = readSync(this.fd, block, filled, block.length - filled, index * blockBytes + filled);
        if (got === 0) throw badFile(this.path, 'got shorter while it was read');
        filled += got;
      }
      this.blocks.set(index, block);
      const oldest = this.blocks.keys().next().value;
      if (this.blocks.size > cachedBlocks && oldest !== undefined) this.blocks.delete(oldest);
    }
    const from = at - index * blockBytes;
    return block.subarray(from, from + this.pageSize);
  }

  private damaged(table: SqliteTable, what: string): Error {
    return badFile(
      this.path,
      `is damaged: table ${table.name} ${what}`,
      'export it again from its .nsys-rep',
    );
  }
}

const schemaColumns: readonly SqliteColumn[] = ['type', 'name', 'tbl_name', 'rootpage', 'sql'].map(
  (name) => ({ name, type: '' }),
);

/** A varint: up to 8 bytes of 7 bits, a ninth of 8. Values past 2^53 lose low bits; no length or type is that large. */
function varint(bytes: Buffer, at: number, limit: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let i = 0; i < 9; i += 1) {
    const byte = at + i < limit ? bytes[at + i] : undefined;
    if (byte === undefined) return { value: Number.POSITIVE_INFINITY, end: limit };
    if (i === 8) return { value: value * 256 + byte, end: at + 9 };
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  return { value, end: at + 9 };
}

/** Bytes of a value by its serial type; 10 and 11 are reserved. */
const widths = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0] as const;

/** One record, decoded as far as it is asked for. */
class StoredRow implements Row {
  private readonly slots: readonly number[];
  private readonly rowidColumn: number | undefined;
  private readonly fail: (what: string) => Error;
  private bytes: Buffer = Buffer.alloc(0);
  private rowid = 0;
  private start = 0;
  /** Where the record lies in the file, from its first byte on. */
  private places: readonly FilePiece[] = [];
  /** Serial type and first byte of each slot's value; type 0 where NULL or absent. */
  private readonly types: Float64Array;
  private readonly starts: Int32Array;
  private readonly wantedUpTo: number;
  private readonly slotsOf: readonly (readonly number[])[];

  constructor(slots: readonly number[], rowidColumn: number | undefined, fail: (what: string) => Error) {
    this.slots = slots;
    this.rowidColumn = rowidColumn;
    this.fail = fail;
    this.types = new Float64Array(slots.length);
    this.starts = new Int32Array(slots.length);
    this.wantedUpTo = Math.max(-1, ...slots);
    this.slotsOf = Array.from({ length: this.wantedUpTo + 1 }, (_, column) =>
      slots.flatMap((wanted, slot) => (wanted === column ? [slot] : [])),
    );
  }

  set(bytes: Buffer, start: number, end: number, rowid: number, places: readonly FilePiece[]): void {
    this.bytes = bytes;
    this.rowid = rowid;
    this.start = start;
    this.places = places;
    this.types.fill(0);
    const header = varint(bytes, start, end);
    const headerEnd = start + header.value;
    if (headerEnd > end) throw this.fail('has a row whose header is longer than the row');
    let at = header.end;
    let value = headerEnd;
    // A record may be shorter than the table: columns added later read as NULL.
    for (let column = 0; column <= this.wantedUpTo && at < headerEnd; column += 1) {
      const type = varint(bytes, at, headerEnd);
      at = type.end;
      const width = type.value >= 12 ? Math.floor((type.value - 12) / 2) : widths[type.value];
      if (width === undefined || !(value + width <= end))
        throw this.fail('has a value that is longer than its row');
      for (const slot of this.slotsOf[column] ?? []) {
        this.types[slot] = type.value;
        this.starts[slot] = value;
      }
      value += width;
    }
  }

  number(slot: number): number {
    const at = this.starts[slot] ?? 0;
    const bytes = this.bytes;
    switch (this.types[slot]) {
      case 0:
        return this.isRowid(slot) ? this.rowid : Number.NaN;
      case 1:
        return bytes.readInt8(at);
      case 2:
        return bytes.readInt16BE(at);
      case 3:
        return bytes.readIntBE(at, 3);
      case 4:
        return bytes.readInt32BE(at);
      case 5:
        return bytes.readIntBE(at, 6);
      case 6:
        return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
      case 7:
        return bytes.readDoubleBE(at);
      case 8:
        return 0;
      case 9:
        return 1;
      default:
        return Number.NaN;
    }
  }

  low48(slot: number): number {
    const at = this.starts[slot] ?? 0;
    if (this.types[slot] === 6)
      return this.bytes.readUInt16BE(at + 2) * 2 ** 32 + this.bytes.readUInt32BE(at + 4);
    return this.number(slot);
  }

  bigint(slot: number): bigint | undefined {
    if (this.types[slot] === 6) return this.bytes.readBigInt64BE(this.starts[slot] ?? 0);
    const value = this.number(slot);
    return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  }

  text(slot: number): string | undefined {
    const type = this.types[slot] ?? 0;
    if (type < 13 || type % 2 === 0) return undefined;
    const at = this.starts[slot] ?? 0;
    return this.bytes.toString('utf8', at, at + (type - 13) / 2);
  }

  pieces(slot: number): readonly FilePiece[] {
    const type = this.types[slot] ?? 0;
    const width = type >= 12 ? Math.floor((type - 12) / 2) : (widths[type] ?? 0);
    const from = (this.starts[slot] ?? 0) - this.start;
    const out: FilePiece[] = [];
    let before = 0;
    for (const place of this.places) {
      const first = Math.max(from, before);
      const last = Math.min(from + width, before + place.length);
      if (last > first) out.push({ offset: place.offset + first - before, length: last - first });
      before += place.length;
    }
    return out;
  }

  private isRowid(slot: number): boolean {
    return this.rowidColumn !== undefined && this.slots[slot] === this.rowidColumn;
  }
}
