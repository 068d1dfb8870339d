import { ActionIcon, Button, NumberInput, SegmentedControl, Select, TextInput, Tooltip } from '@mantine/core';
import { IconCopy, IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { useStore } from 'zustand';
import type { Target } from '../../../workloads/catalog/target.ts';
import { expectation } from '../../../workloads/catalog/values.ts';
import { axisOf, parseAxis, sweepable } from '../../../workloads/harness/sweep/axis.ts';
import type { AxisSpec, ObjectiveSpec, SweepSpec } from '../../../workloads/harness/sweep/sweepSpec.ts';
import { metricLabel } from '../../../workloads/metrics/registry.ts';
import { shellWord } from '../../../workloads/run/shellWord.ts';
import { traceWords } from '../../../workloads/run/traceWords.ts';
import { copy, formOf } from '../../state/actions.ts';
import { findTarget } from '../../state/catalogue.ts';
import { matchTarget } from '../../state/kinds/runKinds.ts';
import { defaultsOf, type FormValues } from '../../state/runForm.ts';
import { trafficOf } from '../../state/servingSpec.ts';
import { startSweep } from '../../state/sweepStore.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './Sweep.module.css';

interface AxisRow {
  readonly id: number;
  readonly parameter: string;
  /** As on the command line: `4,8,16` or `4..16:5:log`. */
  readonly text: string;
}

const objectives: readonly ObjectiveSpec[] = [
  { metric: 'goodput_rps', per: 'gpu', better: 'higher' },
  { metric: 'goodput_rps', per: 'run', better: 'higher' },
  { metric: 'output_tokens_per_s', per: 'gpu', better: 'higher' },
  { metric: 'ttft_ms.p99', per: 'run', better: 'lower' },
  { metric: 'ttft_ms.p50', per: 'run', better: 'lower' },
  { metric: 'tpot_ms.p99', per: 'run', better: 'lower' },
  { metric: 'e2e_ms.p95', per: 'run', better: 'lower' },
];
const objectiveName = ({ metric, per }: ObjectiveSpec): string => `${metric}${per === 'gpu' ? '/gpu' : ''}`;
const objectiveChoices = objectives.map((each) => ({
  value: objectiveName(each),
  label: `${metricLabel(each.metric)}${each.per === 'gpu' ? ' per GPU' : ''} ${each.better === 'lower' ? '▼' : '▲'}`,
}));

/** The form of a sweep of the workload that is chosen in Run. */
export function NewSweep() {
  const { form } = useWorkbench();
  const target = useStore(form, (state) => findTarget(state.target));
  if (target === undefined) return null;
  return matchTarget(target, {
    serving: (own) => <SweepForm target={own} />,
    kernels: ({ title }) => (
      <section className={styles.newSweep}>
        <h2>New sweep</h2>
        <p className={styles.quiet}>
          {title} runs kernels: a sweep needs the simulator. Choose another workload in Run.
        </p>
      </section>
    ),
  });
}

/** Chooses the parameters that vary, the search and the objectives. Every other setting comes from the Run view. */
function SweepForm({ target }: { readonly target: Target }) {
  const workbench = useWorkbench();
  useStore(workbench.form, (state) => state.values);
  const values = formOf(workbench);
  const [rows, setRows] = useState<readonly AxisRow[]>([
    { id: 0, parameter: 'variant', text: '' },
    { id: 1, parameter: 'instances', text: '' },
  ]);
  const [search, setSearch] = useState<'grid' | 'random' | 'bayesian'>('grid');
  const [budget, setBudget] = useState<number | string>(100);
  const [first, setFirst] = useState('goodput_rps/gpu');
  const [second, setSecond] = useState('ttft_ms.p99');
  const [limit, setLimit] = useState<number | string>('');
  const hasTrace = values.trace !== null;
  const choices = sweepable(target, hasTrace).map(({ id, label }) => ({
    value: id,
    label: `${label} (${id})`,
  }));
  const read = rows.map((row) => axisFrom(row, target, hasTrace));
  const axes = read.flatMap(({ axis }) => (axis === undefined ? [] : [axis]));
  const count =
    search === 'grid'
      ? axes.reduce(
          (product, axis) => product * (axisOf(axis, target, hasTrace).grid?.length ?? Number.NaN),
          1,
        )
      : Number(budget);
  const spec = specFrom({
    target,
    values,
    axes,
    search,
    budget: Number(budget),
    chosen: [first, second],
    limit,
  });
  const isReady =
    axes.length === rows.length &&
    axes.length > 0 &&
    Number.isFinite(count) &&
    count >= 1 &&
    first !== second;
  const open = axes.filter((axis) => search === 'grid' && axisOf(axis, target, hasTrace).grid === undefined);
  const change = (id: number, next: Partial<AxisRow>) =>
    setRows(rows.map((row) => (row.id === id ? { ...row, ...next } : row)));
  return (
    <section className={styles.newSweep} aria-label="New sweep">
      <h2>New sweep</h2>
      <p className={styles.quiet} title={target.id}>
        {target.title}, the rest as set in Run
      </p>
      {rows.map((row, i) => (
        <div key={row.id} className={styles.axis}>
          <Select
            aria-label={`Axis ${i + 1}`}
            size="xs"
            searchable
            data={choices}
            value={row.parameter}
            onChange={(parameter) => parameter !== null && change(row.id, { parameter, text: '' })}
          />
          <ActionIcon
            size={22}
            aria-label={`Remove axis ${i + 1}`}
            disabled={rows.length === 1}
            onClick={() => setRows(rows.filter(({ id }) => id !== row.id))}
          >
            <IconX size={13} />
          </ActionIcon>
          <TextInput
            aria-label={`Values of axis ${i + 1}`}
            size="xs"
            placeholder={suggestion(target, row.parameter, hasTrace)}
            value={row.text}
            error={row.text === '' ? undefined : read[i]?.problem}
            onChange={(event) => change(row.id, { text: event.currentTarget.value })}
          />
        </div>
      ))}
      <Button
        size="compact-xs"
        variant="subtle"
        leftSection={<IconPlus size={12} />}
        onClick={() =>
          setRows([
            ...rows,
            {
              id: Math.max(...rows.map(({ id }) => id)) + 1,
              parameter:
                choices.find(({ value }) => !rows.some((row) => row.parameter === value))?.value ?? '',
              text: '',
            },
          ])
        }
      >
        Another axis
      </Button>
      <SegmentedControl
        aria-label="Search"
        size="xs"
        fullWidth
        data={[
          { value: 'grid', label: 'Grid' },
          { value: 'random', label: 'Random' },
          { value: 'bayesian', label: 'Bayesian' },
        ]}
        value={search}
        onChange={(value) => setSearch(value === 'random' || value === 'bayesian' ? value : 'grid')}
      />
      {search !== 'grid' && (
        <NumberInput label="Points" size="xs" min={1} max={100_000} value={budget} onChange={setBudget} />
      )}
      <Select
        label="Best"
        size="xs"
        data={objectiveChoices}
        value={first}
        onChange={(v) => setFirst(v ?? first)}
      />
      <Select
        label="Against"
        size="xs"
        data={objectiveChoices}
        value={second}
        onChange={(v) => setSecond(v ?? second)}
      />
      <NumberInput
        label="Only where TTFT p99 is at most, ms"
        size="xs"
        min={0}
        placeholder="no limit"
        value={limit}
        onChange={setLimit}
      />
      {open.length > 0 && (
        <p className={styles.quiet}>
          A grid needs a number of steps: {open.map(({ parameter }) => `${parameter}=min..max:5`).join(', ')}
        </p>
      )}
      <div className={styles.start}>
        <Button
          size="xs"
          fullWidth
          disabled={!isReady}
          onClick={() =>
            void startSweep(
              workbench,
              `${target.title}: ${axes.map(({ parameter }) => parameter).join(' × ')}`,
              spec,
            )
          }
        >
          {isReady ? `Sweep ${count.toLocaleString('en-GB')} points` : 'Sweep'}
        </Button>
        <Tooltip label="Copy the equivalent command line">
          <ActionIcon
            size={28}
            aria-label="Copy the equivalent command line"
            disabled={!isReady}
            onClick={() =>
              void copy(workbench, commandLineOf(spec, rows, target, hasTrace), 'Command line copied')
            }
          >
            <IconCopy size={14} />
          </ActionIcon>
        </Tooltip>
      </div>
    </section>
  );
}

/** Suggested values: the parameter's choices, or half to twice its default. */
function suggestion(target: Target, id: string, hasTrace: boolean): string {
  const parameter = sweepable(target, hasTrace).find((each) => each.id === id);
  if (parameter === undefined) return '';
  if (id === 'variant')
    return target.variants
      .slice(0, 2)
      .map((variant) => variant.id)
      .join(',');
  if (parameter.kind === 'choice')
    return parameter.choices
      .slice(0, 3)
      .map((choice) => choice.id)
      .join(',');
  if (parameter.kind === 'boolean') return 'true,false';
  if (parameter.kind === 'text') return parameter.default;
  const low = Math.max(parameter.min, parameter.default / 2);
  const high = Math.min(parameter.max, parameter.default * 2);
  if (!(low < high)) return `${parameter.min}..${parameter.max}:5`;
  const tidy = (value: number) =>
    parameter.kind === 'integer' ? Math.round(value) : Number(value.toPrecision(3));
  return `${tidy(low)}..${tidy(high)}:5${parameter.log === true ? ':log' : ''}`;
}

/** An empty row means its suggestion. */
function axisFrom(
  row: AxisRow,
  target: Target,
  hasTrace: boolean,
): { readonly axis?: AxisSpec; readonly problem?: string } {
  try {
    const text = row.text.trim() === '' ? suggestion(target, row.parameter, hasTrace) : row.text.trim();
    const axis = parseAxis(`${row.parameter}=${text}`, target, hasTrace);
    axisOf(axis, target, hasTrace);
    return { axis };
  } catch (thrown) {
    const parameter = sweepable(target, hasTrace).find(({ id }) => id === row.parameter);
    const message = thrown instanceof Error ? thrown.message.replace(/^.*?: /, '') : '';
    return { problem: parameter === undefined ? message : `${message} (${expectation(parameter)})` };
  }
}

function specFrom(chosen: {
  readonly target: Target;
  readonly values: FormValues;
  readonly axes: readonly AxisSpec[];
  readonly search: 'grid' | 'random' | 'bayesian';
  readonly budget: number;
  readonly chosen: readonly string[];
  readonly limit: number | string;
}): SweepSpec {
  const { target, values, axes, search, budget, limit } = chosen;
  const swept = new Set(axes.map(({ parameter }) => parameter));
  const { parameters: defaults } = defaultsOf(target);
  const variants = target.variants.map(({ id }) => id);
  return {
    schema: 1,
    target: target.id,
    engine: 'sim',
    variant: variants.includes('optimized') ? 'optimized' : (variants[0] ?? ''),
    parameters: Object.fromEntries(
      Object.entries(values.parameters).filter(([id, value]) => !swept.has(id) && value !== defaults[id]),
    ),
    ...(values.trace === null ? {} : { traffic: trafficOf(values.trace) }),
    slo: {},
    seed: values.seed,
    iterations: values.iterations,
    axes: [...axes],
    search:
      search === 'grid' ? { kind: 'grid' } : { kind: search, budget: Math.max(1, Math.round(budget) || 1) },
    objectives: chosen.chosen.flatMap((name) => objectives.filter((each) => objectiveName(each) === name)),
    constraints:
      typeof limit === 'number' && limit > 0
        ? [{ metric: 'ttft_ms.p99', per: 'run', op: '<=', value: limit }]
        : [],
  };
}

function commandLineOf(spec: SweepSpec, rows: readonly AxisRow[], target: Target, hasTrace: boolean): string {
  const { traffic } = spec;
  const words = [
    'npm run -s dyno -- sweep',
    spec.target,
    ...rows.flatMap((row) => [
      '--over',
      `${row.parameter}=${row.text.trim() === '' ? suggestion(target, row.parameter, hasTrace) : row.text.trim()}`,
    ]),
    ...Object.entries(spec.parameters).flatMap(([id, value]) => ['--set', `${id}=${value}`]),
    ...(traffic?.kind === 'trace' ? traceWords(traffic) : []),
    ...(spec.search.kind === 'grid'
      ? []
      : ['--search', spec.search.kind, '--budget', String(spec.search.budget)]),
    ...spec.objectives.flatMap((each) => ['--objective', objectiveName(each)]),
    ...spec.constraints.flatMap(({ metric, op, value }) => ['--constraint', `${metric}${op}${value}`]),
    '--seed',
    String(spec.seed),
    ...(spec.iterations === 1 ? [] : ['--iterations', String(spec.iterations)]),
  ];
  return words.map((word, i) => (i === 0 ? word : shellWord(word))).join(' ');
}
