import { techniqueMetrics } from '../../../workloads/metrics/techniqueMetrics.ts';
import type { ComparedPair } from './CdfChart.tsx';
import { FiguresTable } from './FiguresTable.tsx';

const ids = techniqueMetrics.map(({ id }) => id);

/** The effect of speculative decoding, early exit or guided decoding on both sides; draws nothing if neither run used one. */
export function TechniqueTable(pair: ComparedPair) {
  return <FiguresTable {...pair} title="Decoding" testId="technique-figures" ids={ids} />;
}
