/** Further columns of the requests table that a client of servers fills; the order is that of `clientColumns` in `run/tables.ts`. */
export interface ClientColumns {
  /** Writes the columns of request r from `column` on. */
  write(
    r: number,
    column: number,
    number: (column: number, value: number) => void,
    text: (column: number, value: string) => void,
  ): void;
}
