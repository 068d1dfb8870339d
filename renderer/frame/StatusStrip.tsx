import { useStore } from 'zustand';
import { MachineStrip } from '../features/gpu/MachineStrip.tsx';
import { runCommand } from '../state/commandRegistry.ts';
import { isOpen } from '../state/jobsStore.ts';
import { useWindow, useWorkbench } from '../state/workbench.ts';
import styles from './Frame.module.css';

export function StatusStrip() {
  const workbench = useWorkbench();
  const open = useStore(workbench.jobs, (state) => state.jobs.filter(isOpen).length);
  const warnings = useWindow((state) => state.log.filter((line) => line.level !== 'info').length);
  const { versions } = workbench.bridge;
  return (
    <footer className={styles.strip}>
      <MachineStrip />
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
