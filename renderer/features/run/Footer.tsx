import { ActionIcon, Button, Select, Tooltip } from '@mantine/core';
import { IconArrowsDiff, IconCopy } from '@tabler/icons-react';
import { useStore } from 'zustand';
import { changeForm, copyCommandLine, startRuns } from '../../state/actions.ts';
import type { AnyTarget } from '../../state/catalogue.ts';
import { runCommand } from '../../state/commandRegistry.ts';
import { estimateOf } from '../../state/estimate.ts';
import type { RunKind } from '../../state/kinds/runKind.ts';
import { withTarget } from '../../state/kinds/runKinds.ts';
import { baselineOf, commandLineOf, type FormValues, problemsOf } from '../../state/runForm.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { VariantName } from '../../ui/VariantName.tsx';
import { kindViews } from '../kinds/kindViews.ts';
import styles from './Run.module.css';

export function Footer({ target, values }: { readonly target: AnyTarget; readonly values: FormValues }) {
  const workbench = useWorkbench();
  const pace = useStore(workbench.settings, (state) => state.pace);
  const runs = useStore(workbench.runs, (state) => state.runs);
  const trafficS = useStore(workbench.form, (state) => state.trafficS);
  const machine = useStore(workbench.runs, (state) => state.machine);
  const trafficProblem = useStore(workbench.form, (state) => state.trafficProblem);
  const hasTraffic = trafficProblem === undefined || values.trace === null;
  const kind = withTarget(target, (own): RunKind => own);
  const { FooterChoices } = kindViews[kind.id];
  const lacksGpu = kind.needsGpu && machine !== undefined && machine.gpus.length === 0;
  const isValid = Object.keys(problemsOf(target, values)).length === 0 && !lacksGpu && hasTraffic;
  const baseline = baselineOf(target);
  const others = target.variants.filter(({ id }) => id !== baseline);
  const estimate = estimateOf(target.id, values, kind.pace(pace), trafficS, runs);
  return (
    <footer className={styles.footer}>
      <div className={styles.footerLine}>
        <div className={styles.commandLine}>
          <code title="The same on the command line">{commandLineOf(target, undefined, values)}</code>
          <Tooltip label="Copy the command line">
            <ActionIcon
              size={22}
              aria-label="Copy the command line"
              onClick={() => copyCommandLine(workbench)}
            >
              <IconCopy size={14} />
            </ActionIcon>
          </Tooltip>
        </div>
        <Tooltip label={estimate.source}>
          <span className={styles.estimate}>{estimate.text}</span>
        </Tooltip>
      </div>
      <div className={styles.footerButtons}>
        <FooterChoices values={values} />
        {!hasTraffic && (
          <span
            className={styles.unreadable}
            role="status"
            data-testid="trace-problem"
            title={trafficProblem}
          >
            Trace unreadable
          </span>
        )}
        {lacksGpu && (
          <span className={styles.lacks} role="status" data-testid="lacks-gpu">
            It is measured on an NVIDIA GPU, and none is here
            {machine.gpu_absent_reason === undefined ? '' : ` (${machine.gpu_absent_reason})`}.{' '}
            <button
              type="button"
              className={styles.doctor}
              onClick={() => runCommand(workbench, 'view.doctor')}
            >
              What works here
            </button>
          </span>
        )}
        <span className={styles.footerGap} />
        {others.length > 1 && (
          <Select
            data={others.map(({ id, label }) => ({ value: id, label }))}
            value={values.compared}
            onChange={(compared) => {
              if (compared !== null) changeForm(workbench, { ...values, compared });
            }}
            renderOption={({ option }) => (
              <span>
                <VariantName variant={option.value} />
                <span className={styles.optionHelp}>
                  {others.find(({ id }) => id === option.value)?.description}
                </span>
              </span>
            )}
            w={200}
            comboboxProps={{ width: 380, position: 'top-end' }}
            maxDropdownHeight={460}
            aria-label="Compared with the baseline"
          />
        )}
        <Button variant="default" disabled={!isValid} onClick={() => void startRuns(workbench, baseline)}>
          Run {baseline}
        </Button>
        {others.length > 0 && (
          <>
            <Button
              variant="default"
              disabled={!isValid}
              onClick={() => void startRuns(workbench, values.compared)}
            >
              Run {values.compared}
            </Button>
            <Button
              disabled={!isValid}
              leftSection={<IconArrowsDiff size={14} />}
              onClick={() => void startRuns(workbench, undefined)}
            >
              Run A/B
            </Button>
          </>
        )}
      </div>
    </footer>
  );
}
