import { metricParts } from '../../workloads/metrics/format.ts';
import { findMetric } from '../../workloads/metrics/registry.ts';

/** A tick's label: `20 ms`, `1.5 s`, `50 %`, `30`. The unit stands in the chart's title; it is repeated only where it changes with size. */
export function axisText(metric: string, value: number): string {
  const { number, unit } = metricParts(metric, value);
  const short = number.includes('.') ? number.replace(/\.?0+$/, '') : number;
  const format = findMetric(metric)?.metric.format;
  if (value === 0 && format === 'duration') return '0';
  const needsUnit = format === 'duration' || format === 'bytes' || format === 'percent';
  return needsUnit && unit !== '' ? `${short}\u202f${unit}` : short;
}
