import { prefixFetchMetrics, tierMetrics } from '../../../workloads/metrics/tierMetrics.ts';
import type { ComparedPair } from './CdfChart.tsx';
import { FiguresTable } from './FiguresTable.tsx';

const own = ['stranded', ...[...tierMetrics, ...prefixFetchMetrics].map(({ id }) => id)];

/** The memory tiers in which prompt blocks were found, and the cost of moving them; draws nothing if both runs have plain HBM caches. */
export function KvTable(pair: ComparedPair) {
  return (
    <FiguresTable
      {...pair}
      title="KV cache"
      testId="kv-figures"
      ids={['prefix_hit_rate', 'hits', 'evictions', ...own]}
      where={own}
    />
  );
}
