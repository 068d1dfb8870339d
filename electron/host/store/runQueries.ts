import type { DuckDBValue } from '@duckdb/node-api';
import { InputError } from '../../../workloads/run/inputError.ts';
import { kernelsTable, spansTable } from '../../../workloads/run/kernelTables.ts';
import {
  type Column,
  decisionsColumns,
  eventsTable,
  iterationsTable,
  logTable,
  requestsTable,
  samplesTable,
  tieredKvTable,
} from '../../../workloads/run/tables.ts';
import type { Page, SeriesResult } from '../../contract/protocol.ts';
import { type Columns, numbers, query, quoteName, type RowSource, texts } from './duckdb.ts';

/** Every question that a view asks of a run's tables. Names are checked against the table's own columns; values are bound. */

const documented: Readonly<Record<string, readonly Column[]>> = {
  requests: requestsTable.columns,
  iterations: iterationsTable.columns,
  decisions: decisionsColumns,
  kv: tieredKvTable.columns,
  samples: samplesTable.columns,
  events: eventsTable.columns,
  kernels: kernelsTable.columns,
  spans: spansTable.columns,
  log: logTable.columns,
};

interface TableColumn {
  readonly name: string;
  /** DuckDB's. */
  readonly type: string;
}

async function columnsOf(source: RowSource): Promise<TableColumn[]> {
  const found = await query(source.instance, `DESCRIBE SELECT * FROM ${source.from}`);
  const names = texts(found, 'column_name');
  const types = texts(found, 'column_type');
  return names.map((name, i) => ({ name, type: types[i] ?? '' }));
}

function columnNamed(columns: readonly TableColumn[], name: string, table: string): TableColumn {
  const found = columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  throw new InputError(
    `table ${table} has no column "${name}", expected one of ${columns.map((column) => column.name).join(', ')}`,
  );
}

export async function sourcesOf(samples: RowSource) {
  const found = await query(
    samples.instance,
    `SELECT source, metric, count(*)::DOUBLE AS n FROM ${samples.from} GROUP BY 1, 2 ORDER BY 1, 2`,
  );
  const metrics = texts(found, 'metric');
  const counts = numbers(found, 'n');
  return texts(found, 'source').map((source, i) => ({ source, metric: metrics[i] ?? '', n: counts[i] ?? 0 }));
}

export interface SeriesRequest {
  readonly series: readonly { readonly source: string; readonly metric: string }[];
  readonly range?: { readonly from_ns: number; readonly to_ns: number } | undefined;
  readonly width: number;
  readonly iteration: number;
}

/** A silence longer than this many usual distances between samples is a gap. */
const gapFactor = 4;

/** Each series in at most `width` buckets with last, minimum and maximum, so that no spike is lost. */
export async function seriesOf(samples: RowSource, request: SeriesRequest): Promise<SeriesResult[]> {
  const { series, width, iteration } = request;
  if (series.length === 0) return [];
  const range = request.range ?? (await rangeOf(samples, iteration));
  const bucket = Math.max(1, (range.to_ns - range.from_ns) / width);
  const wanted = series.map((_, i) => `(${i}, $${2 * i + 1}, $${2 * i + 2})`).join(', ');
  const values: DuckDBValue[] = series.flatMap(({ source, metric }) => [source, metric]);
  const found = await query(
    samples.instance,
    `WITH wanted(k, source, metric) AS (VALUES ${wanted})
     SELECT k, least(floor((time_ns - ${range.from_ns}) / ${bucket}), ${width - 1})::INTEGER AS b,
       min(time_ns)::DOUBLE AS t0, max(time_ns)::DOUBLE AS t1, arg_max(value, time_ns) AS last,
       min(value) AS low, max(value) AS high, count(*)::INTEGER AS n
     FROM ${samples.from} JOIN wanted USING (source, metric)
     WHERE iteration = ${iteration} AND time_ns BETWEEN ${Math.floor(range.from_ns)} AND ${Math.ceil(range.to_ns)}
     GROUP BY k, b ORDER BY k, b`,
    values,
  );
  const [k, t0, t1, last, low, high, n] = ['k', 't0', 't1', 'last', 'low', 'high', 'n'].map((name) =>
    numbers(found, name),
  );
  const results: SeriesResult[] = [];
  let row = 0;
  for (const [index, { source, metric }] of series.entries()) {
    if (index % 16 === 15) await new Promise((resolve) => setImmediate(resolve));
    const start = row;
    let samplesInAll = 0;
    while (row < found.rows && k?.[row] === index) samplesInAll += n?.[row++] ?? 0;
    const usual =
      samplesInAll > 1
        ? ((t1?.[row - 1] ?? 0) - (t0?.[start] ?? 0)) / (samplesInAll - 1)
        : Number.POSITIVE_INFINITY;
    const points: number[] = [];
    for (let r = start; r < row; r++) {
      const silence = r === start ? 0 : (t0?.[r] ?? 0) - (t1?.[r - 1] ?? 0);
      if (silence > gapFactor * usual && silence > 2 * bucket) {
        points.push(((t1?.[r - 1] ?? 0) + silence / 2) / 1e6, Number.NaN, Number.NaN, Number.NaN);
      }
      points.push(
        (t1?.[r] ?? 0) / 1e6,
        last?.[r] ?? Number.NaN,
        low?.[r] ?? Number.NaN,
        high?.[r] ?? Number.NaN,
      );
    }
    results.push({ source, metric, points: Float64Array.from(points) });
  }
  return results;
}

async function rangeOf(samples: RowSource, iteration: number) {
  const found = await query(
    samples.instance,
    `SELECT min(time_ns)::DOUBLE AS a, max(time_ns)::DOUBLE AS b FROM ${samples.from} WHERE iteration = ${iteration}`,
  );
  const from = numbers(found, 'a')[0] ?? 0;
  const to = numbers(found, 'b')[0] ?? 0;
  return Number.isNaN(from) ? { from_ns: 0, to_ns: 1 } : { from_ns: from, to_ns: Math.max(to, from + 1) };
}

/** Quantiles 0 … 1 of a latency column, `points` of them, linearly interpolated. */
export async function cdfOf(requests: RowSource, metric: string, points: number) {
  const columns = await columnsOf(requests);
  const column = columnNamed(
    columns.filter((candidate) => candidate.name.endsWith('_ms')),
    metric,
    'requests',
  );
  const name = quoteName(column.name);
  const found = await query(
    requests.instance,
    `SELECT count(${name})::DOUBLE AS n, quantile_cont(${name}, [${Array.from({ length: points }, (_, i) => i / (points - 1)).join(', ')}]) AS q
     FROM ${requests.from}`,
  );
  const list: unknown = found.values[found.names.indexOf('q')]?.[0];
  const items: unknown =
    typeof list === 'object' && list !== null && 'items' in list ? list.items : undefined;
  return {
    values: Array.isArray(items) ? Float64Array.from(items, Number) : new Float64Array(0),
    n: numbers(found, 'n')[0] ?? 0,
  };
}

export interface RowsRequest {
  readonly table: string;
  readonly filter: readonly {
    readonly column: string;
    readonly op: '=' | '<' | '<=' | '>' | '>=' | 'contains';
    readonly value: number | string | boolean;
  }[];
  readonly order?: string | undefined;
  readonly offset: number;
  readonly limit: number;
}

export async function rowsOf(source: RowSource, request: RowsRequest): Promise<Page> {
  const { table } = request;
  const columns = await columnsOf(source);
  const values: DuckDBValue[] = [];
  const conditions = request.filter.map(({ column, op, value }) => {
    const { name, type } = columnNamed(columns, column, table);
    const quoted = quoteName(name);
    if (op === 'contains') {
      values.push(String(value));
      return `contains(lower(${quoted}::VARCHAR), lower($${values.length}::VARCHAR))`;
    }
    if (type === 'VARCHAR') values.push(String(value));
    else if (type === 'BOOLEAN') {
      if (typeof value !== 'boolean')
        throw new InputError(`filter on ${column}: ${JSON.stringify(value)}, expected true or false`);
      values.push(value);
    } else {
      const number = typeof value === 'number' ? value : Number.NaN;
      if (Number.isNaN(number))
        throw new InputError(`filter on ${column}: ${JSON.stringify(value)}, expected a number`);
      values.push(number);
      return `${quoted}::DOUBLE ${op} $${values.length}::DOUBLE`;
    }
    return `${quoted} ${op} $${values.length}`;
  });
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  const counted = await query(
    source.instance,
    `SELECT count(*)::DOUBLE AS n FROM ${source.from} ${where}`,
    values,
  );
  const found = await query(
    source.instance,
    `SELECT ${columns.map(selected).join(', ')} FROM ${source.from} ${where} ${orderBy(columns, request)}
     LIMIT ${request.limit} OFFSET ${request.offset}`,
    values,
  );
  return page(table, columns, found, numbers(counted, 'n')[0] ?? 0);
}

function orderBy(columns: readonly TableColumn[], { order, table }: RowsRequest): string {
  if (order === undefined || order === '') return '';
  const falls = order.startsWith('-');
  const { name } = columnNamed(columns, falls ? order.slice(1) : order, table);
  return `ORDER BY ${quoteName(name)} ${falls ? 'DESC' : 'ASC'} NULLS LAST`;
}

/** BIGINT nanoseconds are exact in a double. */
const selected = ({ name, type }: TableColumn): string =>
  type === 'BIGINT' ? `${quoteName(name)}::DOUBLE AS ${quoteName(name)}` : quoteName(name);

function page(table: string, columns: readonly TableColumn[], found: Columns, total: number): Page {
  return {
    rows: found.rows,
    total,
    columns: columns.map(({ name, type }, i) => {
      const known = documented[table]?.find((column) => column.name === name);
      return {
        name,
        type:
          known?.type ??
          { VARCHAR: 'text', BIGINT: 'ns', INTEGER: 'int32', BOOLEAN: 'bool' }[type] ??
          'float64',
        unit: known?.unit ?? '',
        values: (found.values[i] ?? []).map((value) =>
          typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean'
            ? typeof value === 'number' && !Number.isFinite(value)
              ? null
              : value
            : null,
        ),
      };
    }),
  };
}

export async function decisionsOf(source: RowSource, request: number, iteration: number): Promise<Page> {
  const columns = await columnsOf(source);
  const found = await query(
    source.instance,
    `SELECT ${columns.map(selected).join(', ')} FROM ${source.from}
     WHERE iteration = ${iteration} AND request = ${request} ORDER BY time_ns, stage, instance`,
  );
  return page('decisions', columns, found, found.rows);
}
