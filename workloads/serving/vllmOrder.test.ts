import { expect, test } from 'vitest';
import { runSpecOn, type TinyRequest, tinySpec, tinyTraffic } from '../engines/sim/tinyRun.ts';
import type { RunSpec } from '../run/spec.ts';

// 1 ms per prompt token, 100 ms per output token of the whole batch.

const times = (spec: RunSpec, requests: readonly TinyRequest[]) =>
  runSpecOn(spec, tinyTraffic(requests))
    .sink.table('requests')
    .sort((a, b) => Number(a['request']) - Number(b['request']))
    .map((row) => ({
      scheduled: Number(row['scheduled_ns']) / 1e6,
      first: Number(row['first_token_ns']) / 1e6,
      finish: Number(row['finish_ns']) / 1e6,
      preemptions: Number(row['preemptions']),
    }));

test('a pass planned while the one before it runs knows nobody who arrived meanwhile', () => {
  //      0     30   100       200              350
  //  A   ├ prompt ──┤ token 2 ┤ token 3 + B's prompt ┤
  //  B         ├ arrives: the pass from 100 was planned at 0
  const spec = tinySpec();
  const ahead = {
    ...spec,
    cluster: { ...spec.cluster, scheduler: { ...spec.cluster.scheduler, plans_ahead: true } },
  };
  const requests = [
    { at: 0, prompt: 100, output: 5 },
    { at: 30, prompt: 50, output: 1 },
  ];
  expect(times(spec, requests)[1]).toMatchObject({ scheduled: 100, first: 250 });
  expect(times(ahead, requests)[1]).toMatchObject({ scheduled: 200, first: 350 });
});

test('a preempted request computes again only what others took of its blocks', () => {
  // 6 blocks of 16. Both hold 3 when A needs its fourth: B goes, with 48 tokens in 3 blocks. A takes 2 of them, the last
  // ones first; one block of 16 tokens is still B's when A has ended.
  const spec = tinySpec({ instances: [{ blocks: 6 }] });
  const keeps = { ...spec, cluster: { ...spec.cluster, kv: { ...spec.cluster.kv, keeps_preempted: true } } };
  const requests = [
    { at: 0, prompt: 32, output: 40 },
    { at: 0, prompt: 32, output: 40 },
  ];
  const without = times(spec, requests);
  const kept = times(keeps, requests);
  expect(without[1]?.preemptions).toBe(1);
  expect(kept[0]?.finish).toBe(without[0]?.finish);
  expect(kept[1]?.finish).toBe((without[1]?.finish ?? 0) - 16);
});
