import { Tooltip } from '@mantine/core';
import type { KernelSummary, KernelVariantSummary } from '../../../workloads/kernels/kernelSummary.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { copy } from '../../state/actions.ts';
import { ratioFigures } from '../../state/number.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { VariantName } from '../../ui/VariantName.tsx';
import styles from './Kernels.module.css';

/** The variants of a run that measured kernels: time with its interval, rates, and whether the outputs are right. */
export function KernelTable({ summary }: { readonly summary: KernelSummary }) {
  const base = summary.variants['baseline']?.iteration_ms.median;
  return (
    <table className={styles.table} data-testid="kernel-table">
      <thead>
        <tr>
          <th>Variant</th>
          <th className={styles.number}>Median</th>
          <th className={styles.number}>95 % interval</th>
          <th className={styles.number}>To baseline</th>
          <th className={styles.number}>Rounds</th>
          <th className={styles.number}>TFLOP/s</th>
          <th className={styles.number}>GB/s</th>
          <th className={styles.number}>Launches</th>
          <th className={styles.number}>Throughput</th>
          <th>Outputs</th>
        </tr>
      </thead>
      <tbody>
        {Object.entries(summary.variants).map(([id, variant]) => (
          <Row key={id} id={id} variant={variant} base={base} />
        ))}
      </tbody>
    </table>
  );
}

function Row({
  id,
  variant,
  base,
}: {
  readonly id: string;
  readonly variant: KernelVariantSummary;
  readonly base: number | undefined;
}) {
  const workbench = useWorkbench();
  const { iteration_ms: time, work, flop_per_s: flops, host_bytes_per_s: bytes } = variant;
  return (
    <tr>
      <td>
        <VariantName variant={id} />
      </td>
      <td className={styles.number}>
        <button
          type="button"
          className={styles.copy}
          title={`${formatMetric('workload_ms', time.median, true)}; least ${formatMetric('workload_ms', time.min)}, most ${formatMetric('workload_ms', time.max)}; CUDA events`}
          onClick={() => void copy(workbench, `${id}\tworkload_ms.p50\t${time.median}`, 'Value copied')}
        >
          {formatMetric('workload_ms', time.median)}
        </button>
      </td>
      <td className={styles.interval}>
        {time.ci95 === undefined
          ? 'too few rounds'
          : `${formatMetric('workload_ms', time.ci95[0])} – ${formatMetric('workload_ms', time.ci95[1])}`}
      </td>
      <td className={styles.number}>
        {base === undefined || id === 'baseline' ? '' : `${ratioFigures(time.median / base)}×`}
      </td>
      <td className={styles.number}>{time.n}</td>
      <td className={styles.number} title="Operations that the work needs, over the median">
        {flops === undefined ? '–' : (flops / 1e12).toPrecision(3)}
      </td>
      <td className={styles.number} title="Useful bytes over the host link or between GPUs, over the median">
        {bytes === undefined ? '–' : (bytes / 1e9).toPrecision(3)}
      </td>
      <td className={styles.number}>{work.launches}</td>
      <td className={styles.number}>
        {Number(variant.items_per_s.toPrecision(3)).toLocaleString('en-GB')} {work.itemName}/s
      </td>
      <Outputs variant={variant} />
    </tr>
  );
}

function Outputs({ variant: { verification } }: { readonly variant: KernelVariantSummary }) {
  const worst = Math.max(0, ...verification.map((check) => check.worst));
  const isRight = verification.every(({ ok }) => ok);
  const label = verification
    .map(
      (check) =>
        `${check.output}: ${check.elements} elements, worst ${check.worst.toPrecision(3)}, allowed ${check.limit}`,
    )
    .join('; ');
  if (verification.length === 0) return <td className={styles.outputs}>not verified</td>;
  return (
    <Tooltip label={label}>
      <td className={styles.outputs} data-status={isRight ? 'passed' : 'failed'}>
        {isRight ? '✓ right' : '✕ wrong'}, worst {worst.toPrecision(2)}
      </td>
    </Tooltip>
  );
}
