import { expect, test } from 'vitest';
import { RunData } from '../../state/runData.ts';
import { endOf, laneGroups, offeredMetrics } from './lanes.ts';

test('curves of one unit share a lane', () => {
  const groups = laneGroups(['sm_util', 'power_w', 'dram_util', 'not_there', 'power_limit_w']);
  expect(groups.map(({ unit, metrics }) => [unit, metrics.map(({ id }) => id)])).toEqual([
    ['fraction', ['sm_util', 'dram_util']],
    ['W', ['power_w', 'power_limit_w']],
  ]);
});

test('only what the GPUs offer can be picked', () => {
  const data = new RunData('machine');
  data.ensure('gpu:0', 'power_w');
  data.ensure('gpu:1', 'sm_util');
  data.ensure('cluster', 'ttft_ms.p50');
  expect(offeredMetrics(data, ['gpu:0', 'gpu:1']).map(({ id }) => id)).toEqual(['sm_util', 'power_w']);
});

test('the end of a series is said in the lane it belongs to', () => {
  expect(endOf('GPU 3: telemetry ended (the GPU is gone): lost')).toEqual({
    source: 'gpu:3',
    reason: 'ended (the GPU is gone): lost',
  });
  expect(endOf('GPU 3: XID 79')).toBeUndefined();
});
