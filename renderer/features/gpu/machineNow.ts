import type { MachineDescription } from '../../../electron/contract/machine.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import type { RunData } from '../../state/runData.ts';

const bars = '▁▂▃▄▅▆▇█';
const sparkCells = 8;
const sparkMs = 8000;

/** Fractions as block letters: 0.1, 0.5, 1 → `▁▅█`; a blank where nothing is known. */
export const sparkText = (values: readonly number[]): string =>
  values
    .map((value) =>
      Number.isFinite(value)
        ? (bars[Math.min(bars.length - 1, Math.max(0, Math.floor(value * bars.length)))] ?? ' ')
        : ' ',
    )
    .join('');

const mean = (values: readonly number[]): number =>
  values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;

/** `NVIDIA H200 ×2  SM 79 % ▂▅▇  tensor 77 %  DRAM 15 %  98/141 GB  412 W  61 °C`: means, sums of memory and power, the hottest. */
export function machineNow(machine: MachineDescription, data: RunData): string | undefined {
  const sources = data.sources('gpu:');
  if (sources.length === 0) return undefined;
  const last = (metric: string) =>
    sources.map((source) => data.series(source, metric)?.last ?? Number.NaN).filter(Number.isFinite);
  const share = (label: string, metric: string): string[] => {
    const values = last(metric);
    return values.length === 0 ? [] : [`${label} ${formatMetric(metric, mean(values))}`];
  };
  const spark = Array.from({ length: sparkCells }, (_, cell) => {
    const from = data.endMs - sparkMs + (cell * sparkMs) / sparkCells;
    return mean(
      sources
        .map((source) => data.series(source, 'sm_util')?.bucket(from, from + sparkMs / sparkCells).max)
        .filter((value): value is number => value !== undefined && Number.isFinite(value)),
    );
  });
  const used = last('memory_used_bytes').reduce((sum, value) => sum + value, 0);
  // A sum that lacks a card would be a wrong one.
  const total = machine.gpus.reduce((sum, { memory_bytes = Number.NaN }) => sum + memory_bytes, 0);
  const power = last('power_w');
  const heat = last('temperature_c');
  const [first] = machine.gpus;
  const name = `${first?.name ?? 'GPU'}${sources.length > 1 ? ` ×${sources.length}` : ''}`;
  const sm = share('SM', 'sm_util').map((text) => `${text} ${sparkText(spark)}`);
  return [
    name,
    ...sm,
    ...share('tensor', 'tensor_util'),
    ...share('DRAM', 'dram_util'),
    ...(used > 0 && total > 0 ? [`${(used / 1e9).toFixed(0)}/${(total / 1e9).toFixed(0)} GB`] : []),
    ...(power.length > 0 ? [`${power.reduce((sum, value) => sum + value, 0).toFixed(0)} W`] : []),
    ...(heat.length > 0 ? [`${Math.max(...heat).toFixed(0)} °C`] : []),
  ].join('  ');
}
