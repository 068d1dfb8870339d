import { useStore } from 'zustand';
import { runCommand } from '../../state/commandRegistry.ts';
import { isOpen } from '../../state/jobsStore.ts';
import { machineLine } from '../../state/machineLine.ts';
import { useWindow, useWorkbench } from '../../state/workbench.ts';
import styles from './Frame.module.css';

export function StatusStrip() {
  const workbench = useWorkbench();
  const machine = useStore(workbench.runs, (state) => state.machine);
  const open = useStore(workbench.jobs, (state) => state.jobs.filter(isOpen).length);
  const warnings = useWindow((state) => state.log.filter((line) => line.level !== 'info').length);
  const { versions } = workbench.bridge;
  return (
    <footer className={styles.strip}>
      <span>{machine === undefined ? 'asking the host about this machine …' : machineLine(machine)}</span>
      <span className={styles.gap} />
      <span>{open === 0 ? 'no jobs' : `${open} ${open === 1 ? 'job' : 'jobs'}`}</span>
      <button
        type="button"
        className={styles.stripButton}
        onClick={() => runCommand(workbench, 'window.log')}
      >
        log{warnings > 0 && ` · ${warnings} ▲`}
      </button>
      <button
        type="button"
        className={styles.stripButton}
        onClick={() => runCommand(workbench, 'help.shortcuts')}
      >
        ? keys
      </button>
      <span>
        Dyno {versions.dyno} · Electron {versions.electron}
      </span>
    </footer>
  );
}
