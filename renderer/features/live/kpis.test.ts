import { expect, it } from 'vitest';
import { metricOf } from '../../../workloads/metrics/registry.ts';
import { RunData } from '../../state/runData.ts';
import { kpis, recentValues, seriesFor, valueAt } from './kpis.ts';

const twoPools = () => {
  const data = new RunData('r');
  data.ensure('pool:prefill', 'queue_depth').append(0, 3);
  data.ensure('pool:decode', 'queue_depth').append(10, 4);
  return data;
};

it('adds pools up where the cluster says nothing itself', () => {
  const series = seriesFor(twoPools(), 'queue_depth', 'sum');
  expect([-1, 5, 20].map((time) => valueAt(series, 'sum', time))).toEqual([Number.NaN, 3, 7]);
  expect(recentValues(series, 'max', 0, 20, 2)).toEqual([4, 4]);
});

it('prefers the cluster’s own series', () => {
  const data = twoPools();
  data.ensure('cluster', 'queue_depth').append(0, 1);
  expect(valueAt(seriesFor(data, 'queue_depth', 'sum'), 'sum', 50)).toBe(1);
});

it('names metrics that exist', () => {
  for (const kpi of kpis) for (const id of [kpi.main, ...kpi.minor]) expect(metricOf(id).id).not.toBe('');
});
