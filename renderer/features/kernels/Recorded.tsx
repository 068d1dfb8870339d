import { Button, Tooltip } from '@mantine/core';
import { IconChartDots3, IconTimeline } from '@tabler/icons-react';
import type { KernelSummary } from '../../../workloads/kernels/kernelSummary.ts';
import { formatRatio } from '../../../workloads/metrics/format.ts';
import { go } from '../../state/actions.ts';
import { openRunKernels } from '../../state/capturesStore.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { loadRun } from '../roofline/rooflineStore.ts';
import styles from './Kernels.module.css';

/** The records that a run made of its own kernels: their number, their cost, and a button that shows them. */
export function Recorded({ run, summary }: { readonly run: string; readonly summary: KernelSummary }) {
  const workbench = useWorkbench();
  const { recording, counters, counters_refused: refused } = summary;
  const hasFormula = Object.values(summary.variants).some(({ work }) => work.deviceBytes !== undefined);
  if (recording === undefined && counters === undefined && refused === undefined && !hasFormula) return null;
  const lost = (recording?.dropped ?? 0) + (recording?.refused_buffers ?? 0);
  return (
    <section className={styles.recorded} aria-label="Recorded kernels" data-testid="recorded">
      {recording !== undefined && (
        <>
          <Button
            size="compact-xs"
            variant="default"
            leftSection={<IconTimeline size={13} />}
            onClick={() => void openRunKernels(workbench, run)}
          >
            Kernel timeline
          </Button>
          <Tooltip
            multiline
            w={320}
            label={`CUPTI ${recording.version}; iteration time with recording to without, rounds after the measured ones, 95 % interval: ${Object.entries(
              recording.cost,
            )
              .map(
                ([variant, { ci95 }]) =>
                  `${variant} ${ci95 === undefined ? 'too few' : `${ci95[0].toFixed(3)}–${ci95[1].toFixed(3)}`}`,
              )
              .join(', ')}`}
          >
            <span className={styles.facts}>
              {recording.records} records{lost > 0 ? `, ${lost} lost: gaps` : ', none dropped'}; recording
              makes an iteration{' '}
              {Object.entries(recording.cost)
                .map(([variant, { ratio }]) => `${formatRatio(ratio)} (${variant})`)
                .join(', ')}
            </span>
          </Tooltip>
        </>
      )}
      {(counters !== undefined || hasFormula) && (
        <Button
          size="compact-xs"
          variant="default"
          leftSection={<IconChartDots3 size={13} />}
          onClick={() => void loadRun(workbench, run).then(() => go(workbench, 'roofline'))}
        >
          Roofline
        </Button>
      )}
      {counters !== undefined && (
        <span className={styles.facts} title={counters.metrics.join('\n')}>
          {counters.kernels.length} kernels counted on {counters.chip}: {counters.metrics.length} metrics,{' '}
          {counters.passes} passes
        </span>
      )}
      {refused !== undefined && (
        <span className={styles.facts} role="status">
          No hardware counters: {refused.message} {refused.hint}
        </span>
      )}
    </section>
  );
}
