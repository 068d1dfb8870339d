import type { KernelSummary } from '../kernels/kernelSummary.ts';
import { counterPoint } from './counters.ts';
import type { RooflinePoint } from './point.ts';

/**
 * A run that measured kernels, as points: what its hardware counters say of each kernel (`measured`), and what one iteration
 * of a variant must do at least by its own arithmetic (`analytic`), where somebody counted that. The two of a one-kernel
 * variant lie on one another, or the kernel moves more than it must.
 */
export function kernelRunPoints({ variants, counters }: KernelSummary): RooflinePoint[] {
  const points: RooflinePoint[] = [];
  for (const [id, { work, iteration_ms: time }] of Object.entries(variants)) {
    if (work.deviceBytes === undefined || (work.flops > 0 && work.precision === undefined)) continue;
    points.push({
      id: `analytic:${id}`,
      label: `${id}: one iteration, by formula`,
      source: 'analytic',
      work: work.precision === undefined ? {} : { [work.precision]: work.flops },
      bytes: { hbm: work.deviceBytes },
      timeNs: time.median * 1e6,
      formula: [
        `W = ${work.flops} FLOP, Q = ${work.deviceBytes} B: every operand once`,
        `T = median of ${time.n} iterations, ${time.median.toPrecision(4)} ms`,
      ],
      notes: ['every operand counted once; the time is the iteration’s, measured by CUDA events'],
    });
  }
  counters?.kernels.forEach(({ variant, name, launches, threads, metrics }, index) => {
    const point = counterPoint({
      id: `measured:${variant}:${index}`,
      label: `${variant}: ${name}${launches > 1 ? ` ×${launches}` : ''}`,
      source: 'measured',
      metrics: (metric) => metrics[metric],
      ...(threads === undefined ? {} : { threads }),
    });
    points.push({
      ...point,
      notes: [
        ...point.notes,
        `counted by CUPTI in ${counters.passes} passes, the kernel alone on the GPU: its time is not the run's`,
      ],
    });
  });
  return points;
}
