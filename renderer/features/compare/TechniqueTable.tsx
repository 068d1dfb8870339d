import { techniqueMetrics } from '../../../workloads/metrics/techniqueMetrics.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import { FiguresTable } from './FiguresTable.tsx';

const ids = techniqueMetrics.map(({ id }) => id);

/** What speculative decoding, early exit or guided decoding did, on both sides; nothing where neither run had any. */
export function TechniqueTable(pair: ComparedPair) {
  return <FiguresTable {...pair} title="Decoding" testId="technique-figures" ids={ids} />;
}
