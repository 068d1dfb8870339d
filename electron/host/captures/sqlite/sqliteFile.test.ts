import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Database } from 'node-sqlite3-wasm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CaptureError } from '../captureError.ts';
import { ImportBudget } from '../importBudget.ts';
import { SqliteFile } from './sqliteFile.ts';
import { parseCreateTable } from './sqliteSchema.ts';

// What real SQLite writes, our reader reads: random tables both ways, then files that are damaged on purpose.
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-sqlite-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const budgetFor = (path: string) => new ImportBudget(path, { bytes: 1e9, rows: 1e6, milliseconds: 10_000 });

/** A database file made by real SQLite. */
function database(name: string, make: (db: Database) => void): string {
  const path = join(folder, name);
  rmSync(path, { force: true });
  const db = new Database(path);
  try {
    make(db);
  } finally {
    db.close();
  }
  return path;
}

interface Cell {
  readonly number: number;
  readonly text: string | undefined;
}

async function readAll(path: string, table: string, columns: readonly string[]): Promise<Cell[][]> {
  const file = await SqliteFile.open(path, budgetFor(path));
  try {
    const found = file.tables.get(table);
    if (found === undefined) throw new Error(`no table ${table}`);
    const rows: Cell[][] = [];
    await file.scan(found, columns, (row) =>
      rows.push(columns.map((_, i) => ({ number: row.number(i), text: row.text(i) }))),
    );
    return rows;
  } finally {
    file.close();
  }
}

describe('column names of CREATE TABLE', () => {
  it.each([
    ['CREATE TABLE t (a INTEGER NOT NULL, b TEXT)', ['a', 'b'], undefined],
    ['CREATE TABLE StringIds (id INTEGER NOT NULL PRIMARY KEY, value TEXT NOT NULL)', ['id', 'value'], 0],
    [
      'CREATE TABLE "t x" ("a b" INT, [c] REAL DEFAULT (1,2), `d` VARCHAR(10) CHECK (d IN (1, 2)))',
      ['a b', 'c', 'd'],
      undefined,
    ],
    ['CREATE TABLE t (a, b INTEGER, PRIMARY KEY (b))', ['a', 'b'], 1],
    [
      'CREATE TABLE t (a INTEGER PRIMARY KEY DESC, -- note, with comma\n b /* c, d */ TEXT)',
      ['a', 'b'],
      undefined,
    ],
    [
      'CREATE TABLE t(a INTEGER REFERENCES s(id), b BLOB, UNIQUE(a, b), FOREIGN KEY (a) REFERENCES s(id))',
      ['a', 'b'],
      undefined,
    ],
  ])('%s', (sql, names, rowid) => {
    const parsed = parseCreateTable(sql);
    expect(parsed?.columns.map((c) => c.name)).toEqual(names);
    expect(parsed?.rowidColumn).toBe(rowid);
  });

  it('reads no statement that it does not know, whatever it is', () => {
    expect(parseCreateTable('CREATE VIEW v AS SELECT 1')).toBeUndefined();
    fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void parseCreateTable(text)));
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => void parseCreateTable(`CREATE TABLE t (${text}`)),
    );
  });
});

describe('rows', () => {
  const value = fc.oneof(
    fc.constant(null),
    fc.maxSafeInteger(),
    fc.integer({ min: -200, max: 200 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'grapheme', maxLength: 40 }).filter((s) => !s.includes('\0')),
    fc.integer({ min: 300, max: 20_000 }).map((n) => 'ä'.repeat(n)),
  );

  it('are what SQLite wrote: any value, any page size, overflow chains', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(value, value, value), { maxLength: 40 }),
        fc.constantFrom(512, 4096, 65_536),
        async (rows, pageSize) => {
          const path = database('random.sqlite', (db) => {
            db.exec(`PRAGMA page_size=${pageSize}`);
            db.exec('CREATE TABLE t (a, b, c)');
            const insert = db.prepare('INSERT INTO t VALUES (?, ?, ?)');
            for (const row of rows) insert.run(row);
            insert.finalize();
          });
          const read = await readAll(path, 't', ['a', 'b', 'c']);
          expect(read.length).toBe(rows.length);
          read.forEach((cells, i) => {
            cells.forEach((cell, k) => {
              const wrote = rows[i]?.[k];
              if (typeof wrote === 'string') expect(cell.text).toBe(wrote);
              // SQLite stores -0 as 0
              else if (typeof wrote === 'number') expect(cell.number).toBe(wrote === 0 ? 0 : wrote);
              else expect(cell).toEqual({ number: Number.NaN, text: undefined });
            });
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('come in order from a tree of many pages, with columns added later reading as absent', async () => {
    const path = database('many.sqlite', (db) => {
      db.exec('PRAGMA page_size=512');
      db.exec('CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)');
      db.exec(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) INSERT INTO t SELECT i, 'row ' || i FROM n",
      );
      db.exec('ALTER TABLE t ADD COLUMN c INTEGER');
      db.exec('DELETE FROM t WHERE a % 2 = 0');
    });
    const rows = await readAll(path, 't', ['b', 'c', 'a', 'nowhere']);
    expect(rows.length).toBe(10_000);
    expect(rows[4999]?.map((c) => c.text ?? c.number)).toEqual(['row 9999', Number.NaN, 9999, Number.NaN]);
  });

  it('keep 64-bit identities: the low 48 bits and the whole as bigint', async () => {
    const whole = (7n << 56n) | (1n << 48n) | (589n << 24n) | 594n;
    const path = database('wide.sqlite', (db) => {
      db.exec('CREATE TABLE t (tid INTEGER, time INTEGER)');
      db.run('INSERT INTO t VALUES (?, ?)', [whole, 1_795_248_813_744_804_344n]);
    });
    const file = await SqliteFile.open(path, budgetFor(path));
    const table = file.tables.get('t');
    if (table === undefined) throw new Error('no table');
    await file.scan(table, ['tid', 'time'], (row) => {
      expect(row.low48(0)).toBe(589 * 2 ** 24 + 594);
      expect(row.bigint(0)).toBe(whole);
      expect(row.bigint(1)).toBe(1_795_248_813_744_804_344n);
    });
    file.close();
  });

  it('views, virtual tables and WITHOUT ROWID tables are not read', async () => {
    const path = database('views.sqlite', (db) => {
      db.exec('CREATE TABLE t (a)');
      db.exec(
        'CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT * FROM n',
      );
      db.exec('CREATE TABLE w (a PRIMARY KEY) WITHOUT ROWID');
    });
    const file = await SqliteFile.open(path, budgetFor(path));
    expect([...file.tables.keys()]).toEqual(['t']);
    file.close();
  });
});

describe('hostile files', () => {
  const good = () =>
    database('good.sqlite', (db) => {
      db.exec('PRAGMA page_size=512');
      db.exec('CREATE TABLE t (a INTEGER, b TEXT)');
      db.exec(
        'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<600) INSERT INTO t SELECT i, hex(randomblob(i % 900)) FROM n',
      );
    });

  async function outcome(path: string): Promise<string> {
    try {
      const file = await SqliteFile.open(path, budgetFor(path));
      try {
        for (const table of file.tables.values()) {
          await file.scan(
            table,
            table.columns.map((c) => c.name),
            (row) => void [row.number(0), row.low48(0), row.bigint(0), row.text(1), row.pieces(1)],
          );
        }
      } finally {
        file.close();
      }
      return 'read';
    } catch (error) {
      expect(error).toBeInstanceOf(CaptureError);
      return error instanceof CaptureError ? error.message : '';
    }
  }

  it('one clear line for an empty, a short, a wrong and a cut-off file', async () => {
    const path = join(folder, 'bad.sqlite');
    writeFileSync(path, '');
    expect(await outcome(path)).toContain('is empty');
    writeFileSync(path, 'SQLite format 3\0');
    expect(await outcome(path)).toContain('is not an SQLite database');
    writeFileSync(path, Buffer.alloc(5000, 7));
    expect(await outcome(path)).toContain('is not an SQLite database');
    const whole = readFileSync(good());
    writeFileSync(path, whole.subarray(0, Math.floor(whole.length / 2)));
    expect(await outcome(path)).toContain('is cut off');
    expect(await outcome(join(folder, 'nowhere.sqlite'))).toContain('cannot be opened (ENOENT)');
    expect(await outcome(folder)).toContain('is not a file');
  });

  it('a loop among pages ends, as does a tree that is its own child', async () => {
    const path = join(folder, 'loop.sqlite');
    copyFileSync(good(), path);
    const bytes = readFileSync(path);
    const pages = statSync(path).size / 512;
    // Every interior page's right child and every cell points at page 2 (the root of t).
    for (let page = 1; page < pages; page += 1) {
      const at = page * 512;
      if (bytes[at] === 5) bytes.writeUInt32BE(2, at + 8);
    }
    writeFileSync(path, bytes);
    expect(await outcome(path)).toMatch(/reaches page 2 twice|points to page/);
  });

  it('random damage never crashes, hangs or reads out of bounds', async () => {
    const original = readFileSync(good());
    const path = join(folder, 'fuzz.sqlite');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { minLength: 1, maxLength: 60 }),
        fc.option(fc.nat(original.length), { nil: undefined }),
        async (changes, cut) => {
          const bytes = Buffer.from(original);
          for (const [at, value] of changes) bytes[at] = value;
          writeFileSync(path, bytes.subarray(0, cut ?? bytes.length));
          const started = performance.now();
          expect(typeof (await outcome(path))).toBe('string');
          expect(performance.now() - started).toBeLessThan(5_000);
        },
      ),
      { numRuns: 400 },
    );
  }, 60_000);

  it('limits: rows, bytes, time, cancellation', async () => {
    const path = good();
    const read = async (budget: ImportBudget) => {
      const file = await SqliteFile.open(path, budget);
      const table = file.tables.get('t');
      if (table !== undefined) await file.scan(table, ['a'], () => undefined).finally(() => file.close());
    };
    const limits = { bytes: 1e9, rows: 1e6, milliseconds: 1e6 };
    await expect(read(new ImportBudget(path, { ...limits, rows: 10 }))).rejects.toThrow(
      'has more than 10 rows',
    );
    await expect(read(new ImportBudget(path, { ...limits, bytes: 100 }))).rejects.toThrow(
      'at most 100 are read',
    );
    let clock = 0;
    const slow = new ImportBudget(path, { ...limits, milliseconds: 50 }, undefined, () => (clock += 20));
    await expect(read(slow)).rejects.toThrow('took longer than 0.05 s');
    clock = 0;
    const cancelled = new ImportBudget(path, limits, AbortSignal.abort(), () => (clock += 20));
    await expect(read(cancelled)).rejects.toMatchObject({ code: 'cancelled' });
  });
});
