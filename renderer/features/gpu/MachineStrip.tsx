import { useEffect, useRef } from 'react';
import { useStore } from 'zustand';
import { machineLine } from '../../state/machineLine.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './Gpu.module.css';
import { machineNow } from './machineNow.ts';

/** As often as a source has news; the text is written directly, without React. */
const updateEveryMs = 250;

/** This machine in the status strip: what its GPUs do now, or what it is where they say nothing. */
export function MachineStrip() {
  const workbench = useWorkbench();
  const machine = useStore(workbench.runs, (state) => state.machine);
  const text = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (machine === undefined) return;
    const still = machineLine(machine);
    if (text.current !== null) text.current.textContent = still;
    if (machine.gpus.length === 0) return;
    workbench.machine.watch();
    const timer = setInterval(() => {
      if (text.current === null) return;
      const next = machineNow(machine, workbench.machine.data) ?? still;
      if (text.current.textContent !== next) text.current.textContent = next;
    }, updateEveryMs);
    return () => clearInterval(timer);
  }, [workbench, machine]);
  return (
    <span
      ref={text}
      className={styles.now}
      data-testid="machine-now"
      title={machine === undefined ? '' : machineLine(machine)}
    >
      {machine === undefined ? 'asking the host about this machine …' : ''}
    </span>
  );
}
