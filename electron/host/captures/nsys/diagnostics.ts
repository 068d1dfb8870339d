import type { SqliteFile } from '../sqlite/sqliteFile.ts';

const mostLines = 200;

/** The warnings and errors that the tool logged while it recorded; empty where the export has no table of them. */
export async function readDiagnostics(file: SqliteFile): Promise<string[]> {
  const lines: string[] = [];
  const table = file.tables.get('DIAGNOSTIC_EVENT');
  if (table === undefined) return lines;
  await file.scan(table, ['text', 'severity'], (row) => {
    const text = row.text(0);
    // Severities: 1 information, 2 warning, 3 error, 4 fatal. Information names phases only.
    if (text !== undefined && !(row.number(1) < 2) && lines.length < mostLines) lines.push(text);
  });
  return lines;
}
