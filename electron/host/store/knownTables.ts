import { kernelsTable, spansTable } from '../../../workloads/run/kernelTables.ts';
import {
  admissionColumns,
  answerColumns,
  type Column,
  type ColumnType,
  complexityColumns,
  decisionsColumns,
  eventsTable,
  iterationsTable,
  logTable,
  requestsTable,
  samplesTable,
  type TableName,
  tieredKvTable,
} from '../../../workloads/run/tables.ts';

/** DuckDB's type of each column type. */
export const sqlType: Readonly<Record<ColumnType, string>> = {
  float64: 'DOUBLE',
  ns: 'BIGINT',
  int32: 'INTEGER',
  bool: 'BOOLEAN',
  text: 'VARCHAR',
};

/** Every table that a bundle may hold, with every column that any run writes. */
const columns: Readonly<Record<TableName, readonly Column[]>> = {
  requests: [...requestsTable.columns, ...complexityColumns, ...admissionColumns, ...answerColumns],
  iterations: iterationsTable.columns,
  decisions: decisionsColumns,
  kv: tieredKvTable.columns,
  samples: samplesTable.columns,
  events: eventsTable.columns,
  kernels: kernelsTable.columns,
  spans: spansTable.columns,
  log: logTable.columns,
};

export const isTableName = (name: string): name is TableName => Object.hasOwn(columns, name);

/** A router's score terms are columns of their own; their names come from the router. */
const termColumn = /^term_[A-Za-z0-9_]{1,60}$/;
const mostTerms = 64;

export const knownColumn = (table: TableName, name: string): Column | undefined =>
  columns[table].find((column) => column.name === name) ??
  (table === 'decisions' && termColumn.test(name)
    ? { name, type: 'float64', unit: '', meaning: 'a term of the score' }
    : undefined);

export interface FoundColumn {
  readonly name: string;
  /** DuckDB's name of the type. */
  readonly type: string;
}

/**
 * The columns of a foreign table that Dyno knows; others are left unread. Throws a plain Error in words where a known column
 * has another type, or where none is known.
 */
export function readableColumns(table: TableName, found: readonly FoundColumn[]): FoundColumn[] {
  const readable: FoundColumn[] = [];
  let terms = 0;
  for (const column of found) {
    const known = knownColumn(table, column.name);
    if (known === undefined) continue;
    if (termColumn.test(column.name) && ++terms > mostTerms) continue;
    const expected = sqlType[known.type];
    if (column.type !== expected)
      throw new Error(`column ${column.name} of table ${table} is ${column.type}, expected ${expected}`);
    readable.push(column);
  }
  if (readable.length === 0) throw new Error(`none of its columns belongs to the table ${table}`);
  return readable;
}
