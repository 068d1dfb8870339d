import { fleetFigures } from '../../../workloads/metrics/fleetMetrics.ts';
import type { ComparedPair } from './CdfChart.tsx';
import { FiguresTable } from './FiguresTable.tsx';

/** Cost and events of both fleets; draws nothing if neither run's cluster can change. */
export function FleetTable(pair: ComparedPair) {
  return <FiguresTable {...pair} title="Fleet" testId="fleet-figures" ids={fleetFigures} />;
}
