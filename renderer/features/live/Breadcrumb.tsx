import { clockText } from '../../state/timeRange.ts';
import { useWindow, useWorkbench } from '../../state/workbench.ts';
import styles from './Live.module.css';

/** The ranges gone through; a click goes back to one. */
export function Breadcrumb() {
  const { window: store } = useWorkbench();
  const ranges = useWindow((state) => state.ranges);
  if (ranges.length === 0) return null;
  return (
    <nav className={styles.breadcrumb} aria-label="Range" data-testid="breadcrumb">
      <button type="button" onClick={() => store.setState({ ranges: [] })}>
        whole run
      </button>
      {ranges.map((range, index) => (
        <span key={`${range.fromMs} ${range.toMs}`}>
          <span aria-hidden> › </span>
          <button
            type="button"
            aria-current={index === ranges.length - 1}
            onClick={() => store.setState({ ranges: ranges.slice(0, index + 1) })}
          >
            {clockText(range.fromMs, range.toMs - range.fromMs)} –{' '}
            {clockText(range.toMs, range.toMs - range.fromMs)}
          </button>
        </span>
      ))}
    </nav>
  );
}
