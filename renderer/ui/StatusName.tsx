import type { RunStatus } from '../../electron/contract/protocol.ts';
import styles from './Badges.module.css';

const glyphs: Readonly<Record<RunStatus, string>> = {
  running: '●',
  done: '✓',
  failed: '✕',
  cancelled: '◌',
  interrupted: '⚡',
};

export function StatusName({ status }: { readonly status: RunStatus }) {
  return (
    <span className={styles.status} data-status={status}>
      <span aria-hidden>{glyphs[status]}</span>
      {status}
    </span>
  );
}
