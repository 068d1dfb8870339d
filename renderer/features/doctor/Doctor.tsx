import { Button } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import { useCallback, useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { DoctorCheck } from '../../../electron/contract/machine.ts';
import { copy } from '../../state/actions.ts';
import { errorOf } from '../../state/hostClient.ts';
import { machineLine } from '../../state/machineLine.ts';
import type { Loading } from '../../state/runDetails.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { ErrorState } from '../../ui/EmptyState.tsx';
import styles from './Doctor.module.css';

const states: readonly {
  readonly state: DoctorCheck['state'];
  readonly title: string;
  readonly glyph: string;
}[] = [
  { state: 'missing', title: 'Not here', glyph: '✕' },
  { state: 'limited', title: 'Works, with limits', glyph: '▲' },
  { state: 'ok', title: 'Works', glyph: '✓' },
];

/** Lists the features that work on this machine, those that do not, and how to get them. */
export function Doctor() {
  const workbench = useWorkbench();
  const machine = useStore(workbench.runs, (state) => state.machine);
  const [result, setResult] = useState<Loading<readonly DoctorCheck[]>>({ kind: 'none' });
  const check = useCallback(() => {
    setResult({ kind: 'loading' });
    workbench.client.request('doctor.check', {}).then(
      ({ checks }) => setResult({ kind: 'ready', value: checks }),
      (thrown: unknown) => setResult({ kind: 'failed', error: errorOf(thrown) }),
    );
  }, [workbench]);
  useEffect(check, [check]);
  const checks = result.kind === 'ready' ? result.value : [];
  return (
    <div className={styles.doctor} data-testid="doctor" data-checks={checks.length}>
      <header className={styles.head}>
        <div>
          <h1>What works here</h1>
          <p>{machine === undefined ? '' : `${machine.cpu} · ${machineLine(machine)}`}</p>
        </div>
        <span className={styles.gap} />
        <Button
          variant="default"
          disabled={checks.length === 0}
          onClick={() => void copy(workbench, textOf(checks), 'Report copied')}
        >
          Copy report
        </Button>
        <Button
          variant="default"
          leftSection={<IconRefresh size={13} />}
          loading={result.kind === 'loading'}
          onClick={check}
        >
          Check again
        </Button>
      </header>
      {result.kind === 'failed' && <ErrorState title="The check did not finish" error={result.error} />}
      {states.map(({ state, title, glyph }) => {
        const own = checks.filter((each) => each.state === state);
        return own.length === 0 ? null : (
          <section key={state} className={styles.group}>
            <h2>
              {title} <span>{own.length}</span>
            </h2>
            {own.map((each) => (
              <div key={each.id} className={styles.check} data-state={state}>
                <span className={styles.glyph} aria-hidden>
                  {glyph}
                </span>
                <span className={styles.title}>{each.title}</span>
                <span className={`${styles.found} selectable`}>
                  {each.found}
                  {each.advice !== undefined && <span className={styles.advice}>{each.advice}</span>}
                </span>
              </div>
            ))}
          </section>
        );
      })}
    </div>
  );
}

const textOf = (checks: readonly DoctorCheck[]) =>
  checks
    .map(
      ({ title, state, found, advice }) =>
        `${title}: ${state}. ${found}${advice === undefined ? '' : `\n  ${advice}`}`,
    )
    .join('\n');
