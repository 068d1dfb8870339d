import { moeFile } from '../../../cost/moeTable.ts';
import { operatorFiles } from '../../../cost/operatorTables.ts';
import type { TransformerShape } from '../device.ts';
import type { TablePoint } from './tablePoints.ts';

export interface TimedPoint extends TablePoint {
  readonly us: number;
}

/** Tables hold no zero; a billionth of a millisecond stands for it. */
const nothingUs = 0.000_001;

/**
 * Operator tables from times of whole passes. A pass is measured as one piece, so its parts are shares: half of the shortest pass is
 * called dense (`embedding`, which runs once per pass), what is left of each pass is called attention, per layer. At measured points
 * `OperatorCost` gives back the measured time, between them it interpolates as it does for tables of single kernels.
 */
export function operatorTablesOf(
  points: readonly TimedPoint[],
  shape: TransformerShape,
): Record<string, string> {
  const denseUs = points.reduce((least, { us }) => Math.min(least, us), Number.POSITIVE_INFINITY) / 2;
  const rows = points.map(({ chunk, before, sequences, context, us }) => {
    const left = (us - denseUs) / shape.layers;
    return [chunk, before, sequences, context, rounded(Math.max(nothingUs, left))].join(',');
  });
  const files: Record<string, string> = {
    [operatorFiles.attention]: csv('prefill_chunk,kv_prefill,n_decode,kv_decode,time_us', rows),
    [operatorFiles.dense]: csv('layer,tokens,time_us', [`embedding,1,${rounded(denseUs)}`]),
    [operatorFiles.perSequence]: csv('layer,sequences,time_us', [`lm_head,1,${nothingUs}`]),
  };
  if (shape.experts !== undefined) {
    // Experts are part of the passes as they were measured.
    const corners = [1, 65_536].flatMap((tokens) =>
      [1, shape.experts?.count ?? 1].map((active) => [tokens, active]),
    );
    files[moeFile] = csv(
      'tokens,activated_experts,time_us',
      corners.map((corner) => [...corner, nothingUs].join(',')),
    );
  }
  return files;
}

const rounded = (us: number): number => (us < 0.001 ? us : Number(us.toFixed(4)));
const csv = (header: string, rows: readonly string[]): string => `${[header, ...rows].join('\n')}\n`;
