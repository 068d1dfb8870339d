import { Button } from '@mantine/core';
import { IconPlayerPlayFilled } from '@tabler/icons-react';
import { useStore } from 'zustand';
import { defaultTarget } from '../../state/catalogue.ts';
import { runCommand } from '../../state/commandRegistry.ts';
import { groupedBy } from '../../state/grouped.ts';
import { machineLine } from '../../state/machineLine.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { EmptyState, ErrorState } from '../../ui/EmptyState.tsx';
import { Gauge } from '../../ui/Gauge.tsx';
import styles from './Home.module.css';
import { RunCard } from './RunCard.tsx';

const shownGroups = 6;

/** First useful pixel: what this is, one button, the machine, the latest runs. */
export function Home() {
  const workbench = useWorkbench();
  const machine = useStore(workbench.runs, (state) => state.machine);
  const runs = useStore(workbench.runs, (state) => state.runs);
  const isLoaded = useStore(workbench.runs, (state) => state.isLoaded);
  const error = useStore(workbench.runs, (state) => state.error);
  const target = defaultTarget();
  const groups = [...groupedBy(runs, (run) => run.group).values()].slice(0, shownGroups);
  return (
    <div className={styles.home}>
      <section className={styles.hero}>
        <div className={styles.mark}>
          <Gauge size={40} />
        </div>
        <div className={styles.words}>
          <h1>Put an LLM serving system on the dynamometer</h1>
          <p>
            {target.title}: {target.summary}
          </p>
        </div>
        <div className={styles.buttons}>
          <Button
            size="sm"
            leftSection={<IconPlayerPlayFilled size={14} />}
            onClick={() => runCommand(workbench, 'run.default-lab')}
          >
            Run the default lab
          </Button>
          <Button size="sm" variant="default" onClick={() => runCommand(workbench, 'view.run')}>
            Choose a workload
          </Button>
        </div>
      </section>
      <section className={styles.machine} aria-label="Machine">
        <span className={styles.machineLabel}>This machine</span>
        <span>{machine === undefined ? '…' : machineLine(machine)}</span>
        <button type="button" className={styles.link} onClick={() => runCommand(workbench, 'view.doctor')}>
          What works here
        </button>
      </section>
      <section className={styles.recent} aria-label="Recent runs">
        <h2>Recent runs</h2>
        {error !== undefined && <ErrorState title="The runs could not be listed" error={error} />}
        {error === undefined && isLoaded && groups.length === 0 && (
          <EmptyState
            title="No runs yet"
            commands={[{ id: 'run.default-lab', label: 'Run the default lab' }]}
          >
            Each run leaves a bundle on disk and a card here: its latency over time and, for an A/B pair, the
            verdict.
          </EmptyState>
        )}
        <div className={styles.cards}>
          {groups.map((group) => (
            <RunCard key={group[0]?.group} runs={group} />
          ))}
        </div>
      </section>
    </div>
  );
}
