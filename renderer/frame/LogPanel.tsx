import { useEffect, useRef } from 'react';
import { useWindow } from '../state/workbench.ts';
import styles from './Frame.module.css';

export function LogPanel() {
  const lines = useWindow((state) => state.log);
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (lines.length > 0) end.current?.scrollIntoView({ block: 'end' });
  }, [lines]);
  return (
    <section className={styles.log} aria-label="Log">
      {lines.length === 0 && (
        <div className={styles.logTime}>
          Nothing was logged since the window opened. Warnings of runs and of the host appear here.
        </div>
      )}
      {lines.map((line) => (
        <div key={line.id} className={styles.logLine} data-level={line.level}>
          <span className={styles.logTime}>{new Date(line.timeMs).toLocaleTimeString('en-GB')}</span>
          <span>{line.message}</span>
        </div>
      ))}
      <div ref={end} />
    </section>
  );
}
