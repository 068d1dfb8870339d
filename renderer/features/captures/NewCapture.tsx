import { Button, NumberInput, SegmentedControl, Select, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type {
  CaptureProfile,
  CaptureTool,
  HostParams,
  ToolPresence,
} from '../../../electron/contract/protocol.ts';
import { formOf } from '../../state/actions.ts';
import { startCapture } from '../../state/capturesStore.ts';
import { findTarget, isKernelTarget } from '../../state/catalogue.ts';
import { errorOf } from '../../state/hostClient.ts';
import { notifyError } from '../../state/notices.ts';
import { problemsOf, specOf } from '../../state/runForm.ts';
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

/** One press wraps the run of the form in a profiler. */
export function NewCapture() {
  const workbench = useWorkbench();
  const target = useStore(workbench.form, (state) => findTarget(state.target));
  const [tools, setTools] = useState<readonly ToolPresence[]>([]);
  const [variant, setVariant] = useState('baseline');
  const [profile, setProfile] = useState<CaptureProfile>('minimal');
  const [limit, setLimit] = useState<number | string>(300);
  const [range, setRange] = useState('');
  useEffect(() => {
    workbench.client.request('captures.tools', {}).then(
      (found) => setTools(found.tools),
      () => undefined,
    );
  }, [workbench]);
  if (target === undefined) return null;
  if (isKernelTarget(target))
    return (
      <section className={styles.newCapture} aria-label="New capture">
        <h2>New capture</h2>
        <p className={styles.quiet}>
          {target.title} measures kernels by themselves. Choose a serving workload in Run to capture it here.
        </p>
      </section>
    );
  const values = formOf(workbench);
  const isSimulated = values.engine === 'sim';
  const start = (tool: CaptureTool) => {
    const [problem] = Object.values(problemsOf(target, values));
    if (problem !== undefined) {
      notifyError('The form is not complete', { code: 'bad_input', message: problem });
      return;
    }
    try {
      const order: HostParams<'captures.start'> = {
        tool,
        spec: specOf(target, variant, values),
        title: `${target.title} · ${variant}`,
        profile,
        limit_s: typeof limit === 'number' && limit > 0 ? limit : 300,
        ...(range.trim() === '' ? {} : { range: range.trim() }),
      };
      void startCapture(workbench, order);
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
      <Select
        aria-label="Variant"
        data={target.variants.map(({ id }) => id)}
        value={variant}
        onChange={(value) => setVariant(value ?? 'baseline')}
      />
      <SegmentedControl
        aria-label="Profile"
        fullWidth
        data={[...profiles]}
        value={profile}
        onChange={(value) => setProfile(profiles.find((each) => each.value === value)?.value ?? 'minimal')}
      />
      <div className={styles.pair}>
        <NumberInput label="Limit, seconds" min={1} max={86_400} value={limit} onChange={setLimit} />
        <TextInput
          label="Only NVTX range"
          placeholder="whole run"
          value={range}
          onChange={(event) => setRange(event.currentTarget.value)}
        />
      </div>
      <div className={styles.tools}>
        {(['nsys', 'ncu'] as const).map((tool) => {
          const presence = tools.find((each) => each.tool === tool);
          const cannot = tool === 'ncu' && isSimulated;
          return (
            <Button
              key={tool}
              fullWidth
              variant={tool === 'nsys' ? 'filled' : 'default'}
              disabled={presence?.path === undefined || cannot}
              onClick={() => start(tool)}
            >
              {toolName[tool]}
            </Button>
          );
        })}
      </div>
      {isSimulated && tools.some(({ tool, path }) => tool === 'ncu' && path !== undefined) && (
        <p className={styles.quiet}>Nsight Compute profiles kernels, and the simulator launches none.</p>
      )}
      {tools.map((tool) =>
        tool.missing === undefined ? null : (
          <details key={tool.tool} className={styles.missing} data-testid={`missing-${tool.tool}`}>
            <summary>{toolName[tool.tool]} is not here</summary>
            <p className="selectable">
              {tool.missing}. {tool.advice ?? ''} {tool.without ?? ''}
            </p>
          </details>
        ),
      )}
    </section>
  );
}
