import { IterationShape } from '../cost/costModel.ts';
import type { Ns, Tokens } from '../units.ts';

/** Kinds of rows of a pass. */
export const RowKind = { prefill: 0, decode: 1 } as const;

/**
 * One forward pass of one batch: its size (`shape`), as cost models take it, and its rows, as a device computes them. One mutable
 * object per instance, filled anew for each pass and valid until that pass has ended. Rows are filled for devices only.
 *
 *   a prompt of 700 tokens of which 512 are computed already, the rest in this pass, and a sequence that decodes:
 *     request  [4, 9]    kind [prefill, decode]    start [512, 1203]    tokens [188, 1]    ends [1, 1]
 */
export class PassPlan {
  readonly shape = new IterationShape();
  rows = 0;
  request = new Int32Array(16);
  kind = new Uint8Array(16);
  /** Position of the row's first token: how much of the sequence is in the KV cache already. */
  start = new Int32Array(16);
  /** Of a decode row: 1, or with speculation the tokens that it may give, for which it has blocks. */
  tokens = new Int32Array(16);
  /** 1 where the row gives an output token: every decode row, and a chunk that ends its prompt. */
  ends = new Uint8Array(16);

  clear(): void {
    this.rows = 0;
  }

  add(request: number, kind: number, start: Tokens, tokens: Tokens, ends: boolean): void {
    const row = this.rows++;
    if (row === this.request.length) this.grow();
    this.request[row] = request;
    this.kind[row] = kind;
    this.start[row] = start;
    this.tokens[row] = tokens;
    this.ends[row] = ends ? 1 : 0;
  }

  private grow(): void {
    const size = this.request.length * 2;
    const larger = (old: Int32Array) => {
      const column = new Int32Array(size);
      column.set(old);
      return column;
    };
    this.request = larger(this.request);
    this.start = larger(this.start);
    this.tokens = larger(this.tokens);
    const bytes = (old: Uint8Array) => {
      const column = new Uint8Array(size);
      column.set(old);
      return column;
    };
    this.kind = bytes(this.kind);
    this.ends = bytes(this.ends);
  }
}

/** When a pass ran, on the run's clock. */
export interface PassResult {
  readonly startNs: Ns;
  readonly endNs: Ns;
}
