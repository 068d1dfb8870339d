import { describe, expect, test } from 'vitest';
import {
  runSpecOn,
  type TinyCluster,
  type TinyRequest,
  tinySpec,
  tinyTraffic,
} from '../../engines/sim/tinyRun.ts';
import type { OrderSpec, RequestClassSpec, SchedulerPolicySpec } from '../../run/schedulerSpec.ts';
import { predictedOutputs } from './lengthPredictor.ts';
import { requestClasses } from './requestClasses.ts';

// 1 ms per prompt token, 100 ms per output token of the whole batch.

const recompute = { kind: 'recompute' } as const;
const fcfs = { kind: 'fcfs' } as const;

function run(policy: SchedulerPolicySpec, requests: readonly TinyRequest[], cluster: TinyCluster = {}) {
  const base = tinySpec(cluster);
  const spec = { ...base, cluster: { ...base.cluster, scheduler: { ...base.cluster.scheduler, policy } } };
  const { summary, sink } = runSpecOn(spec, tinyTraffic(requests));
  const ms = (value: unknown): number => Number(value) / 1e6;
  const rows = sink
    .table('requests')
    .sort((a, b) => Number(a['request']) - Number(b['request']))
    .map((row) => ({
      scheduled: ms(row['scheduled_ns']),
      first: ms(row['first_token_ns']),
      finish: ms(row['finish_ns']),
      preemptions: Number(row['preemptions']),
    }));
  return { summary, sink, rows };
}

/** Order of service of requests that arrive while the first one is served, one at a time. */
function orderOfService(
  order: OrderSpec,
  requests: readonly TinyRequest[],
  classes?: readonly RequestClassSpec[],
  slo?: TinyCluster['slo'],
): number[] {
  const policy: SchedulerPolicySpec = {
    kind: 'chunked_prefill',
    order,
    preemption: recompute,
    ...(classes === undefined ? {} : { classes: [...classes] }),
  };
  const { rows } = run(policy, requests, { sequences: 1, ...(slo === undefined ? {} : { slo }) });
  return rows
    .map((row, r) => ({ r, at: row.scheduled }))
    .sort((a, b) => a.at - b.at)
    .map(({ r }) => r);
}

test('prefill first: a whole prompt goes before the next token of those who decode', () => {
  //      0     100    150       350       550     650     750
  //  A   ├ prompt ┤ .... ┤ token 2 ┤ token 3 ┤       ┤       ┤
  //  B      30    ├prompt┤ token 2 ┤ token 3 ┤
  const { rows, summary } = run({ kind: 'prefill_first', order: fcfs, preemption: recompute }, [
    { at: 0, prompt: 100, output: 5 },
    { at: 30, prompt: 50, output: 3 },
  ]);
  expect(rows[0]).toMatchObject({ first: 100, finish: 750 });
  expect(rows[1]).toMatchObject({ first: 150, finish: 550 });
  expect(summary.metrics.itl_ms?.max).toBe(250);
});

test('prefill first: what does not fit the budget whole waits for the next pass, and is never cut', () => {
  const { sink } = run(
    { kind: 'prefill_first', order: fcfs, preemption: recompute },
    [100, 40, 30, 10].map((prompt) => ({ at: 0, prompt, output: 1 })),
    { budget: 64, sequences: 64 },
  );
  expect(sink.table('iterations').map((row) => row['prefill_tokens'])).toEqual([100, 40, 40]);
});

describe('static batching', () => {
  const requests = [
    { at: 0, prompt: 100, output: 5 },
    { at: 30, prompt: 50, output: 3 },
  ];

  test('nobody joins a batch that runs', () => {
    const { rows } = run({ kind: 'static', batch: 2, wait_ms: 0 }, requests);
    expect(rows).toMatchObject([
      { scheduled: 0, first: 100, finish: 500 },
      { scheduled: 500, first: 550, finish: 750 },
    ]);
  });

  test('a batch is padded to its longest prompt and runs until its longest answer ends', () => {
    //      0  30         230      430      630      830      1030
    //  A      ├─ 2 × 100 ─┤ 2 × 100 ┤        ┤        ┤ ends
    //  B      ├─ padded ──┤         ┤ ends   ┤ ·····  ┤ ····· a row that nobody wants
    const { rows, sink } = run({ kind: 'static', batch: 2, wait_ms: 50 }, requests);
    expect(rows).toMatchObject([
      { scheduled: 30, first: 230, finish: 1030 },
      { scheduled: 30, first: 230, finish: 630 },
    ]);
    const passes = sink.table('iterations');
    expect(passes.map((row) => [row['passes'], row['prefill_tokens'], row['decode_sequences']])).toEqual([
      [1, 200, 0],
      [4, 0, 2],
    ]);
  });

  test('a batch that never fills starts when its oldest request has waited enough', () => {
    const { rows } = run({ kind: 'static', batch: 3, wait_ms: 80 }, requests);
    expect(rows.map((row) => row.scheduled)).toEqual([80, 80]);
  });

  test('memory is reserved for every row at its longest: a batch takes no more than fit', () => {
    // 16 blocks; rows of up to 100 + 5 − 1 tokens are 7 blocks each: two rows, then the third alone.
    const { rows, summary } = run(
      { kind: 'static', batch: 8, wait_ms: 0 },
      [100, 20, 20].map((prompt) => ({ at: 0, prompt, output: 5 })),
      { instances: [{ blocks: 16 }] },
    );
    expect(rows.map((row) => row.scheduled)).toEqual([0, 0, 1000]);
    expect(summary.requests.preempted).toBe(0);
  });

  test('buckets keep short requests from being padded to long ones', () => {
    const mixed = [10, 200, 10, 200].map((prompt) => ({ at: 0, prompt, output: 1 }));
    const buckets = {
      predictor_error: 0.1,
      list: [
        { name: 'easy', up_to_tokens: 50, batch: 2 },
        { name: 'hard', up_to_tokens: 500, batch: 2 },
      ],
    };
    const plain = run({ kind: 'static', batch: 2, wait_ms: 0 }, mixed);
    const bucketed = run({ kind: 'static', batch: 2, wait_ms: 0, buckets }, mixed);
    expect(plain.rows.map((row) => row.finish)).toEqual([400, 400, 800, 800]);
    expect(bucketed.rows.map((row) => row.finish)).toEqual([20, 420, 20, 420]);
  });
});

describe('order of the waiting queue', () => {
  const jobs = [
    { at: 0, prompt: 100, output: 1 },
    { at: 1, prompt: 50, output: 1 },
    { at: 2, prompt: 20, output: 9 },
    { at: 3, prompt: 30, output: 1 },
  ];

  test('first come, shortest prompt, shortest job', () => {
    expect(orderOfService(fcfs, jobs)).toEqual([0, 1, 2, 3]);
    expect(orderOfService({ kind: 'shortest_prompt', aging: 0 }, jobs)).toEqual([0, 2, 3, 1]);
    expect(orderOfService({ kind: 'oracle_shortest_job', aging: 0 }, jobs)).toEqual([0, 3, 1, 2]);
  });

  test('aging turns shortest job into first come', () => {
    expect(orderOfService({ kind: 'oracle_shortest_job', aging: 1000 }, jobs)).toEqual([0, 1, 2, 3]);
  });

  test('who becomes the head of the queue is admitted at once, though the one before it had no room', () => {
    // 16 blocks: A holds 7, B needs 13 and waits for A's end. C needs one and is shorter than B.
    const policy: SchedulerPolicySpec = {
      kind: 'chunked_prefill',
      order: { kind: 'shortest_prompt', aging: 0 },
      preemption: recompute,
    };
    const { rows } = run(
      policy,
      [
        { at: 0, prompt: 103, output: 12 },
        { at: 10, prompt: 200, output: 1 },
        { at: 550, prompt: 16, output: 1 },
      ],
      { instances: [{ blocks: 16 }] },
    );
    expect(rows[2]).toMatchObject({ scheduled: 603, first: 719 });
    expect(rows[1]?.scheduled).toBe(rows[0]?.finish);
  });

  test('least slack runs the long prompt first, earliest deadline does not', () => {
    const slo = { ttft_ms: 1000 };
    expect(orderOfService({ kind: 'earliest_deadline', late_last: false }, jobs, undefined, slo)).toEqual([
      0, 1, 2, 3,
    ]);
    expect(orderOfService({ kind: 'least_slack', late_last: false }, jobs, undefined, slo)).toEqual([
      0, 1, 3, 2,
    ]);
  });

  test('who can no longer make its deadline lets all others by', () => {
    // At 100 ms request 1 (50 ms of prompt, due at 121) is late; request 2 and 3 are not.
    const slo = { ttft_ms: 120 };
    expect(orderOfService({ kind: 'earliest_deadline', late_last: true }, jobs, undefined, slo)).toEqual([
      0, 2, 1, 3,
    ]);
  });

  test('a deadline that nobody states is refused', () => {
    expect(() => orderOfService({ kind: 'least_slack', late_last: true }, jobs)).toThrow(
      'least_slack without a deadline, expected slo.ttft_ms or classes',
    );
  });
});

test('swap: the KV cache goes to the host and back, and both copies hold up their pass', () => {
  // 3 blocks of 16 tokens × 131,072 bytes: a copy of one takes 1 ms at 2.097152 GB/s, + 0.5 ms.
  //      0   29     229     429       530.5    …   2130.5    2232 … 2632
  //  A   ├ p ┤ 2     ┤ 3     ┤ 4 + 1.5  ┤ … 17 alone ┤
  //  B   ├ p ┤ 2     ┤ 3     ┤ out                   ┤ in + 4 ┤ … 8
  const policy: SchedulerPolicySpec = {
    kind: 'chunked_prefill',
    order: fcfs,
    preemption: { kind: 'swap', bandwidth_gb_per_s: 2.097152, latency_us: 500, host_gb: 1 },
  };
  const requests = [
    { at: 0, prompt: 15, output: 20 },
    { at: 0, prompt: 14, output: 8 },
  ];
  const { rows, sink, summary } = run(policy, requests, { instances: [{ blocks: 3 }] });
  expect(rows).toMatchObject([
    { first: 29, finish: 2130.5, preemptions: 0 },
    { first: 29, finish: 2632, preemptions: 1 },
  ]);
  expect(summary.metrics.itl_ms?.max).toBe(2232 - 429);
  expect(
    sink
      .table('kv')
      .map((row) => [row['kind'], row['request'], row['blocks'], row['bytes'], row['duration_ns']]),
  ).toEqual([
    ['preempt', 1, 1, 0, 0],
    ['swap_out', 1, 1, 2097152, 1.5e6],
    ['swap_in', 1, 1, 2097152, 1.5e6],
  ]);
});

test('classes: prompts are cut so that a pass keeps the time of the class that decodes', () => {
  // Budget 100 ms of prompt at once; the critical class allows 200 ms, of which 100 are the decode token.
  const policy = (pass_ms?: number): SchedulerPolicySpec => ({
    kind: 'chunked_prefill',
    order: { kind: 'class_priority' },
    preemption: recompute,
    classes: [{ name: 'critical', share: 1, ttft_ms: 1000, ...(pass_ms === undefined ? {} : { pass_ms }) }],
  });
  const requests = [
    { at: 0, prompt: 10, output: 9 },
    { at: 1, prompt: 600, output: 1 },
  ];
  const free = run(policy(), requests);
  const capped = run(policy(200), requests);
  expect(free.summary.metrics.itl_ms?.max).toBe(700);
  expect(capped.summary.metrics.itl_ms?.max).toBe(200);
  expect(capped.rows[1]?.first).toBeGreaterThan(free.rows[1]?.first ?? 0);
});

describe('what schedulers are told', () => {
  const traffic = tinyTraffic(Array.from({ length: 20_000 }, () => ({ at: 0, prompt: 1, output: 1000 })));

  test('predicted lengths are off by the stated error, and alike for every variant', () => {
    const predicted = predictedOutputs(traffic, 3, 0, 0.5);
    const logs = [...predicted].map((p) => Math.log(p / 1000));
    const mean = logs.reduce((a, b) => a + b, 0) / logs.length;
    const deviation = Math.sqrt(logs.reduce((sum, x) => sum + (x - mean) * (x - mean), 0) / logs.length);
    expect(mean).toBeCloseTo(0, 1);
    expect(deviation).toBeGreaterThan(0.49);
    expect(deviation).toBeLessThan(0.51);
    expect(predictedOutputs(traffic, 3, 0, 0.5)).toEqual(predicted);
    expect(predictedOutputs(traffic, 3, 1, 0.5)).not.toEqual(predicted);
  });

  test('classes have their shares', () => {
    const of = requestClasses(
      [
        { name: 'a', share: 1, ttft_ms: 1 },
        { name: 'b', share: 3, ttft_ms: 1 },
      ],
      20_000,
      1,
      0,
    );
    const share = of.filter((c) => c === 0).length / of.length;
    expect(share).toBeGreaterThan(0.24);
    expect(share).toBeLessThan(0.26);
  });
});
