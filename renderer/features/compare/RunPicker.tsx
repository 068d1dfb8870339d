import { Select } from '@mantine/core';
import { useStore } from 'zustand';
import { findTarget } from '../../state/catalogue.ts';
import { groupedBy } from '../../state/grouped.ts';
import { when } from '../../state/number.ts';
import { useRunNames } from '../../state/runNames.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './Compare.module.css';

interface RunPickerProps {
  readonly label: string;
  /** Colour of the chosen run; absent: none is shown. */
  readonly token?: string;
  readonly value: string | null;
  readonly onChange: (run: string) => void;
  readonly onClear?: () => void;
  readonly width?: number;
}

const mostOffered = 400;

/** The runs on disk by workload, each named by what differs from its neighbours, the latest first. */
export function RunPicker({ label, token, value, onChange, onClear, width = 300 }: RunPickerProps) {
  const { runs: store } = useWorkbench();
  const runs = useStore(store, (state) => state.runs);
  const names = useRunNames();
  const ended = runs.filter((run) => run.status !== 'running');
  // The chosen one is offered however old it is.
  const offered = ended.filter((run, index) => index < mostOffered || run.run === value);
  const data = [...groupedBy(offered, (run) => run.target)].map(([target, own]) => ({
    group: findTarget(target)?.title ?? target,
    items: own.map((run) => ({
      value: run.run,
      label: `${names.get(run.run) ?? run.variant} · ${when(run.started)}`,
    })),
  }));
  return (
    <Select
      aria-label={label}
      placeholder={label}
      {...(token === undefined
        ? {}
        : { leftSection: <span className={styles.swatch} style={{ background: `var(${token})` }} /> })}
      data={data}
      value={value}
      onChange={(chosen) => {
        if (chosen !== null) onChange(chosen);
        else onClear?.();
      }}
      clearable={onClear !== undefined}
      searchable
      w={width}
      comboboxProps={{ width: 380, position: 'bottom-start' }}
      maxDropdownHeight={360}
    />
  );
}
