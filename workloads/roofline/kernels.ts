import type { Bytes, Flop } from '../units.ts';
import type { RooflinePoint } from './point.ts';
import type { Precision } from './precision.ts';

/**
 * Algorithmic work and least traffic of the kernels that a capture is checked against. Each operand is counted once: what
 * a kernel moves beyond that is its own doing (tiles read again, padding), and the difference is what the check shows.
 */
function kernelPoint(
  id: string,
  label: string,
  precision: Precision,
  work: Flop,
  bytes: Bytes,
  formula: readonly string[],
): RooflinePoint {
  return {
    id,
    label,
    source: 'analytic',
    work: work > 0 ? { [precision]: work } : {},
    bytes: { hbm: bytes },
    formula,
    notes: ['every operand counted once'],
  };
}

/** C[M×N] = A[M×K]·B[K×N]: W = 2·M·N·K, Q = (M·K + K·N)·in + M·N·out. */
export function gemmPoint(
  m: number,
  n: number,
  k: number,
  precision: Precision,
  inBytes: number,
  outBytes: number = inBytes,
): RooflinePoint {
  return kernelPoint(
    `gemm:${m}x${n}x${k}:${precision}`,
    `GEMM ${m}×${n}×${k}`,
    precision,
    2 * m * n * k,
    (m * k + k * n) * inBytes + m * n * outBytes,
    [`W = 2·${m}·${n}·${k}`, `Q = (${m}·${k} + ${k}·${n})·${inBytes} + ${m}·${n}·${outBytes}`],
  );
}

/** A copy of n bytes reads and writes each: Q = 2n, no work; it belongs on the bandwidth chart. */
export const copyPoint = (bytes: Bytes): RooflinePoint =>
  kernelPoint(`copy:${bytes}`, `copy of ${bytes} B`, 'fp32', 0, 2 * bytes, [`Q = 2·${bytes}`]);

/** a = b + s·c over n floats (STREAM triad; saxpy is the same with a = b): W = 2n, Q = 3·4·n. */
export const triadPoint = (n: number): RooflinePoint =>
  kernelPoint(`triad:${n}`, `triad of ${n} floats`, 'fp32', 2 * n, 12 * n, [`W = 2·${n}`, `Q = 3·4·${n}`]);

export interface AttentionSize {
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly queries: number;
  readonly keys: number;
  /** Each query sees only keys up to its own position; the queries are the last ones. */
  readonly causal: boolean;
}

/** Fused attention: W = 4·B·H·D·pairs (QKᵀ and PV), Q = Q, O once and K, V once per KV head. */
export function attentionPoint(size: AttentionSize, precision: Precision, valueBytes: number): RooflinePoint {
  const { batch, heads, kvHeads, headDim, queries, keys, causal } = size;
  const pairs = causal ? queries * (keys - queries) + (queries * (queries + 1)) / 2 : queries * keys;
  const bytes = batch * headDim * valueBytes * (2 * heads * queries + 2 * kvHeads * keys);
  return kernelPoint(
    `attention:${batch}x${heads}x${queries}x${keys}x${headDim}:${precision}`,
    `attention ${queries}×${keys}, ${heads} heads`,
    precision,
    4 * batch * heads * headDim * pairs,
    bytes,
    [
      `W = 4·${batch}·${heads}·${headDim}·${pairs} pairs`,
      `Q = ${batch}·${headDim}·${valueBytes}·(2·${heads}·${queries} + 2·${kvHeads}·${keys})`,
    ],
  );
}

/** Work that tiles added: F_counted / W_algorithm − 1. */
export const paddingWaste = (counted: Flop, algorithmic: Flop): number => counted / algorithmic - 1;
