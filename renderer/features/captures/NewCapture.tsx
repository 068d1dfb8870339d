import { Button, NumberInput, SegmentedControl, Select, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type {
  CaptureProfile,
  CaptureTool,
  HostParams,
  HostResults,
} from '../../../electron/contract/protocol.ts';
import { copy, formOf } from '../../state/actions.ts';
import { startCapture, useTools } from '../../state/capturesStore.ts';
import { type AnyTarget, findTarget } from '../../state/catalogue.ts';
import { errorOf } from '../../state/hostClient.ts';
import { withTarget } from '../../state/kinds/runKinds.ts';
import { notifyError } from '../../state/notices.ts';
import { type FormValues, problemsOf, specsOf } from '../../state/runForm.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './Captures.module.css';

const profiles: readonly { readonly value: CaptureProfile; readonly label: string }[] = [
  { value: 'minimal', label: 'Minimal' },
  { value: 'roofline', label: 'Roofline' },
  { value: 'deep_dive', label: 'Deep dive' },
  { value: 'full', label: 'Full' },
];

const toolName: Readonly<Record<CaptureTool, string>> = {
  nsys: 'Nsight Systems',
  ncu: 'Nsight Compute',
};

interface Choices {
  readonly variant: string;
  readonly profile: CaptureProfile;
  readonly limit: number;
  readonly range: string;
  /** ncu only. */
  readonly kernels: string;
  readonly skip: number;
  readonly count: number;
}
const firstChoices: Choices = {
  variant: 'baseline',
  profile: 'minimal',
  limit: 300,
  range: '',
  kernels: '',
  skip: 0,
  count: 40,
};
type Order = HostParams<'captures.start'>;

/** @throws InputError of the target where the values contradict each other */
function orderOf(tool: CaptureTool, target: AnyTarget, values: FormValues, choices: Choices): Order {
  const { variant, profile, limit, range, kernels, skip, count } = choices;
  const [spec] = specsOf(
    target,
    variant,
    withTarget(target, (kind) => kind.captured(values)),
  );
  if (spec === undefined) throw new Error('no spec');
  return {
    tool,
    spec,
    title: `${target.title} · ${variant}`,
    profile,
    limit_s: limit,
    ...(range.trim() === '' ? {} : { range: range.trim() }),
    ...(tool === 'nsys' || kernels.trim() === '' ? {} : { kernels: kernels.trim() }),
    ...(tool === 'nsys' || skip === 0 ? {} : { skip }),
    ...(tool === 'nsys' ? {} : { count }),
  };
}

/** One press wraps the run of the form in a profiler. */
export function NewCapture() {
  const workbench = useWorkbench();
  const target = useStore(workbench.form, (state) => findTarget(state.target));
  useStore(workbench.form, (state) => state.values);
  const tools = useTools();
  const [tool, setTool] = useState<CaptureTool>('nsys');
  const [choices, setChoices] = useState(firstChoices);
  const change = (next: Partial<Choices>) => setChoices((known) => ({ ...known, ...next }));
  if (target === undefined) return null;
  const values = formOf(workbench);
  const isSimulated = values.engine === 'sim';
  const [problem] = Object.values(problemsOf(target, values));
  const presence = tools.find((each) => each.tool === tool);
  const cannot = tool === 'ncu' && isSimulated;
  const whole = (value: number | string, otherwise: number) =>
    typeof value === 'number' && value >= 0 ? Math.floor(value) : otherwise;
  const start = () => {
    if (problem !== undefined) {
      notifyError('The form is not complete', { code: 'bad_input', message: problem });
      return;
    }
    try {
      void startCapture(workbench, orderOf(tool, target, values, choices));
    } catch (thrown) {
      notifyError('These settings contradict each other', errorOf(thrown));
    }
  };
  return (
    <section className={styles.newCapture} aria-label="New capture">
      <h2>New capture</h2>
      <p className={styles.quiet} title={target.id}>
        {target.title} · engine {values.engine}, as set in Run
      </p>
      <SegmentedControl
        aria-label="Profiler"
        fullWidth
        data={(['nsys', 'ncu'] as const).map((value) => ({ value, label: toolName[value] }))}
        value={tool}
        onChange={(value) => setTool(value === 'ncu' ? 'ncu' : 'nsys')}
      />
      <Select
        aria-label="Variant"
        data={target.variants.map(({ id }) => id)}
        value={choices.variant}
        onChange={(value) => change({ variant: value ?? 'baseline' })}
      />
      <SegmentedControl
        aria-label="Profile"
        fullWidth
        data={[...profiles]}
        value={choices.profile}
        onChange={(value) =>
          change({ profile: profiles.find((each) => each.value === value)?.value ?? 'minimal' })
        }
      />
      <div className={styles.pair}>
        <NumberInput
          label="Limit, seconds"
          min={1}
          max={86_400}
          value={choices.limit}
          onChange={(value) => change({ limit: Math.max(1, whole(value, 300)) })}
        />
        <TextInput
          label="Only NVTX range"
          placeholder={
            (tool === 'ncu' ? withTarget(target, (kind) => kind.countedRange(choices.variant)) : undefined) ??
            'whole run'
          }
          value={choices.range}
          onChange={(event) => change({ range: event.currentTarget.value })}
        />
      </div>
      {tool === 'ncu' && (
        <div className={styles.triple} data-testid="ncu-choices">
          <TextInput
            label="Kernels (regex)"
            placeholder="all"
            value={choices.kernels}
            onChange={(event) => change({ kernels: event.currentTarget.value })}
          />
          <NumberInput
            label="Skip"
            min={0}
            value={choices.skip}
            onChange={(value) => change({ skip: whole(value, 0) })}
          />
          <NumberInput
            label="Launches"
            min={1}
            value={choices.count}
            onChange={(value) => change({ count: Math.max(1, whole(value, 40)) })}
          />
        </div>
      )}
      <Button fullWidth disabled={presence?.path === undefined || cannot} onClick={start}>
        Capture with {toolName[tool]}
      </Button>
      {problem === undefined && <CommandPreview key={tool} order={safely(tool, target, values, choices)} />}
      {cannot && (
        <p className={styles.quiet}>Nsight Compute profiles kernels, and the simulator launches none.</p>
      )}
      {tools.map((each) =>
        each.missing === undefined ? null : (
          <details key={each.tool} className={styles.missing} data-testid={`missing-${each.tool}`}>
            <summary>{toolName[each.tool]} is not here</summary>
            <p className="selectable">
              {each.missing}. {each.advice ?? ''} {each.without ?? ''}
            </p>
          </details>
        ),
      )}
    </section>
  );
}

function safely(
  tool: CaptureTool,
  target: AnyTarget,
  values: FormValues,
  choices: Choices,
): Order | undefined {
  try {
    return orderOf(tool, target, values, choices);
  } catch {
    // The form says what contradicts what: there is no order yet.
    return undefined;
  }
}

/** The command line of what the form says, Dyno's and the tool's own. */
function CommandPreview({ order }: { readonly order: Order | undefined }) {
  const workbench = useWorkbench();
  const [shown, setShown] = useState<HostResults['captures.preview']>();
  const text = order === undefined ? undefined : JSON.stringify(order);
  useEffect(() => {
    if (text === undefined) return undefined;
    let isCurrent = true;
    const wait = setTimeout(() => {
      workbench.client.request('captures.preview', JSON.parse(text) as Order).then(
        (found) => isCurrent && setShown(found),
        () => isCurrent && setShown(undefined),
      );
    }, 150);
    return () => {
      isCurrent = false;
      clearTimeout(wait);
    };
  }, [workbench, text]);
  if (shown === undefined) return null;
  const lines = [shown.command, ...(shown.tool_command === undefined ? [] : [shown.tool_command])];
  return (
    <details className={styles.missing} data-testid="capture-command">
      <summary>Command line</summary>
      {lines.map((line) => (
        <button
          key={line}
          type="button"
          className={`${styles.commandText} mono`}
          title="Copy"
          onClick={() => void copy(workbench, line, 'Command line copied')}
        >
          {line}
        </button>
      ))}
    </details>
  );
}
