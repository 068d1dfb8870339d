import type { Command } from 'commander';
import type { KernelSpec } from '../../workloads/kernels/kernelSpec.ts';
import type { KernelSummary } from '../../workloads/kernels/kernelSummary.ts';
import type { CounterMode } from '../../workloads/kernels/recording.ts';
import { formatRatio } from '../../workloads/metrics/format.ts';
import { oneOf } from './options.ts';

/** The records that a kernel run makes beside its times. */
export interface RecordOptions {
  readonly kernels?: 'overlap' | 'serial' | true;
  readonly counters?: CounterMode | true;
}

export const addRecordOptions = (command: Command): Command =>
  command
    .option(
      '--kernels [mode]',
      'kernel targets: record every kernel, copy and CUDA call by CUPTI (a timeline without Nsight); the cost is measured and said; overlap: as they run (default), serial: one after another, which costs kernels of very many blocks less',
      oneOf('overlap', 'serial'),
    )
    .option(
      '--counters [mode]',
      'kernel targets: hardware counters of one more iteration by CUPTI, for the roofline; kernel: of each launch (default), range: of the iteration as one',
      oneOf('kernel', 'range'),
    );

export function recordOf({ kernels, counters }: RecordOptions): KernelSpec['record'] {
  if (kernels === undefined && counters === undefined) return undefined;
  return {
    ...(kernels === undefined ? {} : { kernels: kernels === 'serial' ? kernels : true }),
    ...(counters === undefined ? {} : { counters: counters === true ? 'kernel' : counters }),
  };
}

/** A line each for the records made, the records lost, and the cost of recording. */
export function recordLines({
  recording,
  counters,
  counters_refused: refused,
}: Pick<KernelSummary, 'recording' | 'counters' | 'counters_refused'>): string[] {
  const lines: string[] = [];
  if (recording !== undefined) {
    const cost = Object.entries(recording.cost).map(
      ([variant, { ratio, ci95 }]) =>
        `${variant} ${formatRatio(ratio)}${ci95 === undefined ? '' : ` (95 % CI ${ci95[0].toFixed(3)}–${ci95[1].toFixed(3)})`}`,
    );
    const lost = recording.dropped + recording.refused_buffers;
    lines.push(
      `recorded by CUPTI: ${recording.records} records${lost > 0 ? `, ${recording.dropped} dropped and ${recording.refused_buffers} buffers refused: the timeline has gaps` : ', none dropped'}; iteration time with recording to without: ${cost.join(', ')}`,
    );
  }
  if (counters !== undefined) {
    const cost = Object.entries(counters.cost).map(([variant, times]) => `${variant} ${times.toFixed(1)}×`);
    lines.push(
      `counted by CUPTI on ${counters.chip}: ${counters.metrics.length} metrics in ${counters.passes} passes${counters.refused.length > 0 ? `, ${counters.refused.length} refused` : ''}; a counted iteration took ${cost.join(', ')} of a plain one`,
    );
  }
  if (refused !== undefined) lines.push(`no hardware counters: ${refused.message} ${refused.hint}`);
  return lines;
}
