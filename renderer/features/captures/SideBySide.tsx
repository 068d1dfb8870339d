import { useEffect, useState } from 'react';
import type { KernelChange, TimelineContents } from '../../../electron/contract/captures.ts';
import type { CaptureInfo } from '../../../electron/contract/protocol.ts';
import { absentText } from '../../../workloads/metrics/format.ts';
import { errorOf } from '../../state/hostClient.ts';
import { change } from '../../state/number.ts';
import type { Loading } from '../../state/runDetails.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { ErrorState } from '../../ui/EmptyState.tsx';
import { duration } from '../roofline/PointInspector.tsx';
import styles from './Captures.module.css';
import type { Span } from './lanes.ts';
import { Timeline, wholeOf } from './Timeline.tsx';

interface Side {
  readonly capture: CaptureInfo;
  readonly contents: TimelineContents;
}

/** Two recordings, timeline under timeline, then kernel by kernel. */
export function SideBySide({ baseline, optimized }: { readonly baseline: Side; readonly optimized: Side }) {
  const { client } = useWorkbench();
  // One scale for both: the same time since the start of each recording, the same length.
  const longest = Math.max(lengthOf(baseline.contents), lengthOf(optimized.contents));
  const [span, setSpan] = useState<Span>({ fromNs: 0, toNs: longest });
  const shared = ({ startNs }: TimelineContents) => ({
    whole: { fromNs: startNs, toNs: startNs + longest },
    span: { fromNs: startNs + span.fromNs, toNs: startNs + span.toNs },
    onSpan: (change: (now: Span) => Span) =>
      setSpan((now) => {
        const next = change({ fromNs: startNs + now.fromNs, toNs: startNs + now.toNs });
        return { fromNs: next.fromNs - startNs, toNs: next.toNs - startNs };
      }),
  });
  const [changes, setChanges] = useState<Loading<readonly KernelChange[]>>({ kind: 'loading' });
  const [left, right] = [baseline.capture.capture, optimized.capture.capture];
  useEffect(() => {
    let isCurrent = true;
    client.request('captures.compare', { baseline: left, optimized: right }).then(
      ({ kernels }) => isCurrent && setChanges({ kind: 'ready', value: kernels }),
      (thrown: unknown) => isCurrent && setChanges({ kind: 'failed', error: errorOf(thrown) }),
    );
    return () => {
      isCurrent = false;
    };
  }, [client, left, right]);
  return (
    <div
      data-testid="side-by-side"
      data-kernels={changes.kind === 'ready' ? changes.value.length : ''}
      className={styles.stack}
    >
      <Timeline
        key={left}
        id="baseline"
        capture={left}
        title={`Baseline: ${baseline.capture.title}`}
        contents={baseline.contents}
        {...shared(baseline.contents)}
        mostLanes={lanesOf(baseline.contents)}
      />
      <Timeline
        key={right}
        id="optimized"
        capture={right}
        title={`Compared capture: ${optimized.capture.title}`}
        contents={optimized.contents}
        {...shared(optimized.contents)}
        mostLanes={lanesOf(optimized.contents)}
      />
      <p className={styles.quiet}>
        One scale: both show the same time since their start. Where the time went, not a verdict: one
        recording a side has no interval, and the profiler slowed both.
      </p>
      {changes.kind === 'failed' && <ErrorState title="These two cannot be compared" error={changes.error} />}
      {changes.kind === 'ready' && changes.value.length === 0 && (
        <p className={styles.quiet}>Neither recording holds a kernel.</p>
      )}
      {changes.kind === 'ready' && changes.value.length > 0 && (
        <table className={styles.table}>
          <thead>
            <tr>
              <th>Kernel</th>
              <th>n</th>
              <th>Baseline total</th>
              <th>Compared total</th>
              <th>Difference</th>
              <th>Median</th>
            </tr>
          </thead>
          <tbody>
            {changes.value.slice(0, 200).map((row) => (
              <tr key={row.name}>
                <td title={row.name}>{row.name}</td>
                <td>
                  {row.baseline?.count ?? 0} → {row.optimized?.count ?? 0}
                </td>
                <td>{row.baseline === undefined ? absentText : duration(row.baseline.totalNs)}</td>
                <td>{row.optimized === undefined ? absentText : duration(row.optimized.totalNs)}</td>
                <td>
                  {row.totalDifferenceNs === 0 ? '=' : row.totalDifferenceNs < 0 ? '▼' : '▲'}{' '}
                  {duration(Math.abs(row.totalDifferenceNs))}
                </td>
                <td>{row.medianRatio === undefined ? absentText : change(row.medianRatio)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

/** System calls come last; two timelines one under the other leave them out where there is anything else. */
const lanesOf = (contents: TimelineContents): number =>
  Math.min(16, contents.rows.filter(({ kind }) => kind !== 'os').length || 16);

const lengthOf = (contents: TimelineContents): number => {
  const { fromNs, toNs } = wholeOf(contents);
  return toNs - fromNs;
};
