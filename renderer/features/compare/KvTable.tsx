import { prefixFetchMetrics, tierMetrics } from '../../../workloads/metrics/tierMetrics.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import { FiguresTable } from './FiguresTable.tsx';

const own = ['stranded', ...[...tierMetrics, ...prefixFetchMetrics].map(({ id }) => id)];

/** Where prompt blocks were found and what moving them cost; nothing where both runs have plain HBM caches. */
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
