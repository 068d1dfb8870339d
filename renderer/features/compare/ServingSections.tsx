import { comparedPair } from '../../state/runNames.ts';
import type { CompareSectionsProps } from '../kinds/kindViews.ts';
import { CdfChart } from './CdfChart.tsx';
import { ClientTable } from './ClientTable.tsx';
import styles from './Compare.module.css';
import { FleetTable } from './FleetTable.tsx';
import { InstanceBars } from './InstanceBars.tsx';
import { KvTable } from './KvTable.tsx';
import { ModelTable } from './ModelTable.tsx';
import { ParallelTable } from './ParallelTable.tsx';
import { PercentilesOverTime } from './PercentilesOverTime.tsx';
import { RatioTable } from './RatioTable.tsx';
import { RequestTable } from './RequestTable.tsx';
import { SpecTable } from './SpecTable.tsx';
import { TechniqueTable } from './TechniqueTable.tsx';
import { TierTable } from './TierTable.tsx';

/** Below the verdict: ratios, distributions, percentiles over time, and each part of the cluster. */
export function ServingSections({ comparison, baseline, optimized }: CompareSectionsProps) {
  const pair = comparedPair(baseline, optimized);
  return (
    <>
      <div className={styles.two}>
        <RatioTable rows={comparison.rows} names={pair.names} />
        <CdfChart {...pair} />
      </div>
      <ClientTable {...pair} />
      <PercentilesOverTime {...pair} />
      <FleetTable {...pair} />
      <TechniqueTable {...pair} />
      <KvTable {...pair} />
      <TierTable {...pair} />
      <ModelTable {...pair} />
      <ParallelTable {...pair} />
      <InstanceBars {...pair} />
      <RequestTable {...pair} />
      <SpecTable {...pair} />
    </>
  );
}
