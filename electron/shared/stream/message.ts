import type { KernelSummary } from '../../../workloads/kernels/kernelSummary.ts';
import type { Summary } from '../../../workloads/run/summary.ts';
import type { TableSchema } from '../../../workloads/run/tables.ts';
import type { HostError } from '../../contract/hostError.ts';

/** A text column on its way: one code per row and the strings that the codes stand for. */
export interface CodedText {
  readonly codes: Int32Array;
  readonly dictionary: readonly string[];
}
export type StreamColumn = Float64Array | Int32Array | Uint8Array | CodedText;

/** A batch as the host receives it; the columns are views of one buffer that belongs to it. */
export interface StreamBatch {
  readonly kind: 'batch';
  readonly schema: TableSchema;
  readonly rows: number;
  readonly columns: readonly StreamColumn[];
}

/** Everything that a runner says to its host. */
export type StreamMessage =
  | {
      readonly kind: 'hello';
      readonly pid: number;
      readonly versions: Readonly<Record<string, string>>;
      /** `process.hrtime` at the run's time 0; absent where the run's clock is not this machine's. */
      readonly origin_ns?: string;
    }
  | StreamBatch
  | {
      readonly kind: 'progress';
      readonly phase: 'reading' | 'running';
      readonly done: number;
      readonly total: number;
      readonly clock_ns: number;
    }
  | {
      readonly kind: 'log';
      readonly level: 'info' | 'warning' | 'error';
      readonly message: string;
      readonly time_ns: number;
    }
  | {
      readonly kind: 'summary';
      readonly status: 'done' | 'cancelled';
      readonly summary: Summary | KernelSummary;
    }
  /** The runner waits to be told that this replicate may begin. */
  | { readonly kind: 'turn'; readonly replicate: number }
  | { readonly kind: 'error'; readonly error: HostError };

export type PlainMessage = Exclude<StreamMessage, StreamBatch>;

/** What the host says to a runner, one JSON document per line on its standard input. */
export type ControlMessage =
  | { readonly cancel: true }
  | { readonly pace: 'max' | number }
  /** Replicates up to this one may begin; without such a message all of them may. */
  | { readonly turn: number };
