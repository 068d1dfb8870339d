import { fleetFigures } from '../../../workloads/metrics/fleetMetrics.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import { FiguresTable } from './FiguresTable.tsx';

/** What the fleet cost and what happened to it, on both sides; nothing where neither run's cluster can change. */
export function FleetTable(pair: ComparedPair) {
  return <FiguresTable {...pair} title="Fleet" testId="fleet-figures" ids={fleetFigures} />;
}
