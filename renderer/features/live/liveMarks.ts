import type { ClusterMark } from '../../charts/clusterMarks.ts';
import type { RunData } from '../../state/runData.ts';

const prefix = 'event:';

/** Events of the cluster, read from the run's samples: a source per kind of event, the instance as the value. */
export function marksOf(data: RunData | undefined): ClusterMark[] {
  const marks: ClusterMark[] = [];
  for (const source of data?.sources(prefix) ?? []) {
    const series = data?.series(source, 'cluster_event');
    for (let i = 0; i < (series?.length ?? 0); i++) {
      const instance = series?.valueAt(i) ?? Number.NaN;
      // A gap that was put between stored samples is no event.
      if (Number.isNaN(instance)) continue;
      marks.push({ timeMs: series?.timeAt(i) ?? 0, kind: source.slice(prefix.length), instance });
    }
  }
  return marks;
}
