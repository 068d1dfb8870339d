import { open } from 'node:fs/promises';
import { ImportBudget } from '../importBudget.ts';
import { type FilePiece, type Row, SqliteFile } from '../sqlite/sqliteFile.ts';

/**
 * Takes private text out of an SQLite export, in place, before it is shared: every variable of the shell that nsys was
 * started from (TARGET_INFO_SYSTEM_ENV, name `DeviceEnvironment`), the environments of the machine's *other* processes
 * (StringIds, variables separated by NUL: seen in a 2022.4 report of a system-wide process list), and what the program
 * wrote to its output (ProcessStreams). The values become spaces of the same length, so the database stays valid; the
 * unused bytes of those pages go too, since SQLite leaves old copies of rows there.
 *
 * The `.nsys-rep` itself holds the same text and cannot be edited: capture with a minimal environment
 * (`captureEnvironment`), and share the scrubbed SQLite or the imported tables rather than the report.
 */
export async function scrubEnvironment(path: string): Promise<{ readonly valuesErased: number }> {
  const pieces: FilePiece[] = [];
  let valuesErased = 0;
  const erase = (found: readonly FilePiece[]) => {
    if (found.length > 0) valuesErased += 1;
    pieces.push(...found);
  };
  const blankUnused = (piece: FilePiece) => pieces.push(piece);
  const file = await SqliteFile.open(path, new ImportBudget(path));
  try {
    const environment = file.tables.get('TARGET_INFO_SYSTEM_ENV');
    if (environment !== undefined) {
      const isHere = (row: Row) => /environ/i.test(row.text(0) ?? '') || isEnvironment(row.text(1) ?? '');
      await file.scan(
        environment,
        ['name', 'value'],
        (row) => isHere(row) && erase(row.pieces(1)),
        blankUnused,
      );
    }
    const streams = file.tables.get('ProcessStreams');
    const strings = file.tables.get('StringIds');
    const contents = new Set<number>();
    if (streams !== undefined) await file.scan(streams, ['contentId'], (row) => contents.add(row.number(0)));
    if (strings !== undefined) {
      const isHere = (row: Row) => contents.has(row.number(0)) || isEnvironment(row.text(1) ?? '');
      await file.scan(strings, ['id', 'value'], (row) => isHere(row) && erase(row.pieces(1)), blankUnused);
    }
  } finally {
    file.close();
  }
  if (pieces.length === 0) return { valuesErased };
  const handle = await open(path, 'r+');
  try {
    for (const piece of pieces)
      await handle.write(Buffer.alloc(piece.length, 0x20), 0, piece.length, piece.offset);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { valuesErased };
}

/** `NAME=value`, one or many of them between NULs. No kernel, range or call is called so. */
const isEnvironment = (text: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*=/.test(text);
