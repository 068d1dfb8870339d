/** The columns of a table of ncu, by their position. */
export interface Layout {
  readonly kind: 'raw' | 'details' | 'summary';
  readonly header: readonly string[];
  readonly column: ReadonlyMap<string, number>;
  readonly width: number;
  /** The column that is empty in the row of units. */
  readonly idAt: number;
  /** Columns that a row must have to say anything: rows of the details page end behind the value. */
  readonly needed: number;
}

/** Columns that name the launch; everything else in a raw page is a metric. */
export const idColumns: ReadonlySet<string> = new Set([
  '',
  'ID',
  'Process ID',
  'Process Name',
  'Host Name',
  'Kernel Name',
  'Kernel Time',
  'Context',
  'Stream',
  'Block Size',
  'Grid Size',
  'Device',
  'CC',
  'Section Name',
  'Range',
  'Invocations',
]);

/** NVTX columns: `thread Domain:Push/Pop_Range:PL_Type:…` and `Id:Domain:Start/Stop_Range:…`. */
export const isRange = (name: string): boolean => /Domain:(Push\/Pop|Start\/Stop)_Range/.test(name);

/** The layout that a header row describes; undefined for any other row. */
export function layoutOf(record: readonly string[]): Layout | undefined {
  if (record.length < 3) return undefined;
  const header = record.map((name) => name.replace(/^\ufeff/, '').trim());
  if (!header.includes('Kernel Name')) return undefined;
  const column = new Map(header.map((name, i) => [name, i]));
  const isLong = column.has('Metric Name');
  if (isLong && column.has('Average')) {
    return {
      kind: 'summary',
      header,
      column,
      width: header.length,
      idAt: 0,
      needed: (column.get('Average') ?? 0) + 1,
    };
  }
  const idAt = column.get('ID');
  if (idAt === undefined) return undefined;
  return {
    kind: isLong ? 'details' : 'raw',
    header,
    column,
    width: header.length,
    idAt,
    needed: isLong ? (column.get('Metric Value') ?? header.length - 1) + 1 : header.length,
  };
}
