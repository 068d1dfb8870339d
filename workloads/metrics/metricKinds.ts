import type { Better, Metric, MetricFormat, MetricGroup, MetricUnit } from './registry.ts';

/** Short forms for the lists of metrics: what metrics of one kind have in common. */
export const latency = (id: string, label: string, definition: string): Metric => ({
  id,
  label,
  unit: 'ms',
  definition,
  better: 'lower',
  format: 'duration',
  kind: 'latency',
  group: 'latency',
});

export const rate = (
  id: string,
  label: string,
  unit: MetricUnit,
  better: Better,
  definition: string,
): Metric => ({
  id,
  label,
  unit,
  definition,
  better,
  format: 'rate',
  kind: 'rate',
  group: 'service',
});

export const count = (
  id: string,
  label: string,
  unit: MetricUnit,
  group: MetricGroup,
  better: Better,
  definition: string,
): Metric => ({ id, label, unit, definition, better, format: 'count', kind: 'count', group });

export const fraction = (
  id: string,
  label: string,
  group: MetricGroup,
  better: Better,
  definition: string,
): Metric => ({
  id,
  label,
  unit: 'fraction',
  definition,
  better,
  format: 'percent',
  kind: 'fraction',
  group,
});

export const gauge = (
  id: string,
  label: string,
  unit: MetricUnit,
  group: MetricGroup,
  format: MetricFormat,
  better: Better,
  definition: string,
): Metric => ({ id, label, unit, definition, better, format, kind: 'gauge', group });
