import { expect, test } from 'vitest';
import { metricIds, metricOf as nativeMetricOf } from '../../../../native/index.ts';
import { findMetric, type MetricUnit } from '../../../../workloads/metrics/registry.ts';
import { metricNames, metricScales } from './nativeMetrics.ts';

const unitOf = { '%': 'fraction', bits: 'count' } as const;

test('every native metric has its own id in the registry, in the unit that it is scaled to', () => {
  expect(new Set(metricNames).size).toBe(metricIds.length);
  metricIds.forEach((id, number) => {
    const { unit } = nativeMetricOf(id);
    const expected: MetricUnit = unit === '%' || unit === 'bits' ? unitOf[unit] : unit;
    expect([id, findMetric(metricNames[number] ?? '')?.metric.unit]).toEqual([id, expected]);
    expect(metricScales[number]).toBe(unit === '%' ? 0.01 : 1);
  });
});
