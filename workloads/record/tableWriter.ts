import type { Column, ColumnData, EventSink, TableSchema } from '../run/tables.ts';

const batchRows = 8192;

const columnArray = (column: Column, rows: number): ColumnData | string[] => {
  switch (column.type) {
    case 'float64':
    case 'ns':
      return new Float64Array(rows);
    case 'int32':
      return new Int32Array(rows);
    case 'bool':
      return new Uint8Array(rows);
    case 'text':
      return new Array<string>(rows).fill('');
    default: {
      const never: never = column.type;
      return never;
    }
  }
};

/**
 * Fills batches of one table and hands them over when full. A row is begun by `row()`, then its columns are set by
 * position; every column is to be set.
 */
export class TableWriter {
  readonly schema: TableSchema;
  /** The sink takes this table; rows of other tables are dropped. */
  readonly wanted: boolean;
  private readonly sink: EventSink;
  private columns: (ColumnData | string[])[] = [];
  /** The same columns by what they hold, so that a row is written without asking. */
  private numbers: (Float64Array | Int32Array | Uint8Array | undefined)[] = [];
  private texts: (string[] | undefined)[] = [];
  private rows = 0;

  constructor(schema: TableSchema, sink: EventSink) {
    this.schema = schema;
    this.sink = sink;
    this.wanted = sink.wants?.includes(schema.name) ?? true;
  }

  row(): void {
    if (!this.wanted) return;
    if (this.rows === batchRows) this.flush();
    if (this.columns.length === 0) this.open();
    this.rows++;
  }

  private open(): void {
    this.columns = this.schema.columns.map((c) => columnArray(c, batchRows));
    this.numbers = this.columns.map((data) =>
      data instanceof Float64Array || data instanceof Int32Array || data instanceof Uint8Array
        ? data
        : undefined,
    );
    this.texts = this.columns.map((data) => (Array.isArray(data) ? data : undefined));
  }

  number(column: number, value: number): void {
    const data = this.numbers[column];
    if (data !== undefined) data[this.rows - 1] = value;
  }

  text(column: number, value: string): void {
    const data = this.texts[column];
    if (data !== undefined) data[this.rows - 1] = value;
  }

  flush(): void {
    if (this.rows === 0) return;
    const { rows, columns } = this;
    this.rows = 0;
    if (rows === batchRows) {
      this.columns = [];
      this.sink.batch({ schema: this.schema, rows, data: columns });
    } else {
      // A copy of what is filled: the arrays, mostly empty, are used again.
      this.sink.batch({ schema: this.schema, rows, data: columns.map((c) => c.slice(0, rows)) });
    }
  }
}
