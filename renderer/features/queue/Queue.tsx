import { ActionIcon, Button, NumberInput, Select, TextInput, Tooltip } from '@mantine/core';
import { IconCopy } from '@tabler/icons-react';
import { useState } from 'react';
import type { HostError } from '../../../electron/contract/hostError.ts';
import type { QueueCurve, QueueQuestion } from '../../../electron/contract/queueLab.ts';
import { SimulatedBadge } from '../../charts/SimulatedBadge.tsx';
import { copy } from '../../state/actions.ts';
import { errorOf } from '../../state/hostClient.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { EmptyState, ErrorState } from '../../ui/EmptyState.tsx';
import styles from './Queue.module.css';
import { QueueChart } from './QueueChart.tsx';
import { QueueTable } from './QueueTable.tsx';

interface Form {
  readonly arrivals: string;
  readonly service: string;
  readonly discipline: string;
  readonly servers: number | string;
  readonly loads: string;
  readonly n: number | string;
  readonly seed: number | string;
  readonly capacity: number | string;
  readonly classes: string;
}

const first: Form = {
  arrivals: 'poisson',
  service: 'exp',
  discipline: 'fcfs',
  servers: 1,
  loads: '0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95',
  n: 400_000,
  seed: 1,
  capacity: '',
  classes: '',
};

const disciplines = [
  { value: 'fcfs', label: 'First come, first served' },
  { value: 'lifo', label: 'Last come, first served' },
  { value: 'sjf', label: 'Shortest job first' },
  { value: 'srpt', label: 'Shortest remaining time' },
  { value: 'ps', label: 'Processor sharing' },
  { value: 'priority', label: 'Priorities' },
];

type State =
  | { readonly kind: 'none' }
  | { readonly kind: 'running' }
  | { readonly kind: 'ready'; readonly curve: QueueCurve }
  | { readonly kind: 'failed'; readonly error: HostError };

/** The queueing lab: why a server that is 95 % busy makes everybody wait, simulated beside theory. */
export function Queue() {
  const workbench = useWorkbench();
  const [form, setForm] = useState(first);
  const [state, setState] = useState<State>({ kind: 'none' });
  const change = (next: Partial<Form>) => setForm({ ...form, ...next });
  const run = async () => {
    setState({ kind: 'running' });
    try {
      setState({ kind: 'ready', curve: await workbench.client.request('queue.run', questionOf(form)) });
    } catch (thrown) {
      setState({ kind: 'failed', error: errorOf(thrown) });
    }
  };
  return (
    <div
      className={styles.queue}
      data-testid="queue"
      data-state={state.kind}
      data-points={state.kind === 'ready' ? state.curve.points.length : 0}
    >
      <aside className={styles.side}>
        <h2>One queue, many loads</h2>
        <Select
          label="Arrivals"
          size="xs"
          data={[
            { value: 'poisson', label: 'Poisson' },
            { value: 'gamma:2', label: 'Bursty (gamma, CV 2)' },
            { value: 'gamma:4', label: 'Very bursty (gamma, CV 4)' },
            { value: 'deterministic', label: 'Like clockwork' },
          ]}
          value={form.arrivals}
          onChange={(arrivals) => arrivals !== null && change({ arrivals })}
        />
        <Select
          label="Service times"
          size="xs"
          data={[
            { value: 'exp', label: 'Exponential' },
            { value: 'det', label: 'All alike' },
            { value: 'h2:0.9,0.5,5.5', label: 'Few long, many short (H2)' },
            { value: 'lognormal:1', label: 'Log-normal, CV 1' },
            { value: 'lognormal:2', label: 'Log-normal, CV 2' },
            { value: 'gamma:0.5', label: 'Gamma, CV 0.5' },
          ]}
          value={form.service}
          onChange={(service) => service !== null && change({ service })}
        />
        <Select
          label="Order"
          size="xs"
          data={disciplines}
          value={form.discipline}
          onChange={(discipline) =>
            discipline !== null &&
            change({
              discipline,
              classes: discipline === 'priority' ? form.classes || '0.3,0.7' : form.classes,
            })
          }
        />
        {form.discipline === 'priority' && (
          <TextInput
            label="Classes: shares, most important first"
            size="xs"
            value={form.classes}
            onChange={(event) => change({ classes: event.currentTarget.value })}
          />
        )}
        <div className={styles.pair}>
          <NumberInput
            label="Servers"
            size="xs"
            min={1}
            max={10_000}
            value={form.servers}
            onChange={(servers) => change({ servers })}
          />
          <NumberInput
            label="Capacity"
            size="xs"
            min={1}
            placeholder="no limit"
            value={form.capacity}
            onChange={(capacity) => change({ capacity })}
          />
          <NumberInput
            label="Jobs per load"
            size="xs"
            min={1000}
            max={5_000_000}
            thousandSeparator
            value={form.n}
            onChange={(n) => change({ n })}
          />
          <NumberInput
            label="Seed"
            size="xs"
            min={0}
            value={form.seed}
            onChange={(seed) => change({ seed })}
          />
        </div>
        <TextInput
          label="Loads ρ"
          size="xs"
          value={form.loads}
          onChange={(event) => change({ loads: event.currentTarget.value })}
        />
        <div className={styles.start}>
          <Button size="xs" fullWidth loading={state.kind === 'running'} onClick={() => void run()}>
            Run the queue
          </Button>
          <Tooltip label="Copy the command line of the highest load">
            <ActionIcon
              size={28}
              aria-label="Copy the equivalent command line"
              onClick={() => void copy(workbench, commandLineOf(form), 'Command line copied')}
            >
              <IconCopy size={14} />
            </ActionIcon>
          </Tooltip>
        </div>
        <p className={styles.lesson}>
          <b>Look at</b> how the wait grows with 1/(1 − ρ): from 0.8 to 0.95 it is five times as long. Make
          service times vary more and it grows with (1 + CV²)/2; share one queue among more servers and it
          shrinks. A batch of LLM requests is near processor sharing: nobody waits long, everybody gets
          slower.
        </p>
      </aside>
      <div className={styles.content}>
        {state.kind === 'failed' && <ErrorState title="This queue cannot be" error={state.error} />}
        {state.kind === 'ready' ? (
          <>
            <header className={styles.bar}>
              <h1>{titleOf(form)}</h1>
              <SimulatedBadge />
            </header>
            <QueueChart points={state.curve.points} />
            <QueueTable points={state.curve.points} />
          </>
        ) : (
          state.kind !== 'failed' && (
            <EmptyState title={state.kind === 'running' ? 'The queue is running' : 'Wait against load'}>
              Times are in units of the mean service time. Points are simulated with their 95 % intervals; the
              line is queueing theory where it has a formula.
            </EmptyState>
          )
        )}
      </div>
    </div>
  );
}

const numbersOf = (text: string): number[] =>
  text
    .split(/[\s,;]+/)
    .filter((word) => word !== '')
    .map(Number);

function questionOf(form: Form): QueueQuestion {
  const { arrivals, service, discipline, servers, n, seed, capacity, classes } = form;
  return {
    arrivals,
    service,
    discipline,
    servers: Number(servers),
    rhos: numbersOf(form.loads).sort((a, b) => a - b),
    n: Number(n),
    seed: Number(seed),
    ...(capacity === '' ? {} : { capacity: Number(capacity) }),
    ...(discipline === 'priority' ? { classes } : {}),
  };
}

function commandLineOf(form: Form): string {
  const { arrivals, service, servers, discipline, rhos, n, seed, capacity, classes } = questionOf(form);
  return [
    'npm run -s dyno -- queue',
    `--arrivals ${arrivals}`,
    `--service ${service}`,
    `--servers ${servers}`,
    `--discipline ${discipline}`,
    `--rho ${rhos.at(-1) ?? 0.8}`,
    `--n ${n}`,
    `--seed ${seed}`,
    ...(capacity === undefined ? [] : [`--capacity ${capacity}`]),
    ...(classes === undefined ? [] : [`--classes ${classes}`]),
  ].join(' ');
}

const titleOf = ({ arrivals, service, servers, discipline }: Form): string =>
  `${arrivals} arrivals · ${service} service · ${servers} ${Number(servers) === 1 ? 'server' : 'servers'} · ${disciplines.find(({ value }) => value === discipline)?.label.toLowerCase() ?? discipline}`;
