import { describe, expect, test } from 'vitest';
import { aiperfRecords, aiperfSummary, type ExportedRun, vllmResult } from './exportResult.ts';
import { membersOf } from './jsonValues.ts';
import { measuredRequests } from './measuredRequests.ts';
import { looksLikeResult, ResultLines, readResult } from './resultFormats.ts';
import { requestRows, resultSpec, resultSummary, resultTraffic } from './resultRun.ts';

/** Written from the field list of vllm bench serve --save-detailed: two requests, one failed. */
const vllm = {
  ...{ date: '20260301-120000', backend: 'vllm', model_id: 'm', request_rate: 2, duration: 3 },
  ...{ completed: 2, failed: 1, total_input_tokens: 30, total_output_tokens: 5, request_throughput: 0.67 },
  ...{ input_lens: [10, 10, 10], output_lens: [3, 2, 0], ttfts: [0.1, 0.2, 0], errors: ['', '', 'boom'] },
  ...{ itls: [[0.01, 0.03], [0.05], []], start_times: [100, 101, 102], latencies: [0.15, 0.25, 0] },
  ...{ mean_ttft_ms: 150 },
};

/** Times to the microsecond: sums of decimal fractions are off in their last bits. */
const rounded = (value: object): unknown =>
  JSON.parse(JSON.stringify(value), (_, item: unknown) =>
    typeof item === 'number' ? Math.round(item * 1000) / 1000 : item,
  );

const aiperfRow = (n: number, more: object = {}, metadata: object = {}) => ({
  metadata: {
    ...{ session_num: n, conversation_id: `c${n % 2}`, request_start_ns: 1.75e18 + n * 1e9 },
    ...{ request_end_ns: 1.75e18 + n * 1e9 + 3e8, benchmark_phase: 'profiling', ...metadata },
  },
  metrics: {
    input_sequence_length: { value: 100, unit: 'tokens' },
    output_sequence_length: { value: 5, unit: 'tokens' },
    time_to_first_token: { value: 0.2, unit: 's' },
    request_latency: { value: 300_000, unit: 'us' },
    inter_token_latency: { value: 25, unit: 'ms' },
    ...more,
  },
});

describe('vLLM bench serve', () => {
  test('with details: per-request times, failures apart, gaps between chunks', () => {
    const [result] = readResult('r.json', vllm);
    expect(rounded(result?.requests ?? [])).toEqual([
      {
        ...{ status: 'completed', arrivalMs: 100_000, promptTokens: 10, outputTokens: 3, ttftMs: 100 },
        ...{ e2eMs: 150, tpotMs: 25, gapsMs: [10, 30] },
      },
      {
        ...{ status: 'completed', arrivalMs: 101_000, promptTokens: 10, outputTokens: 2, ttftMs: 200 },
        ...{ e2eMs: 250, tpotMs: 50, gapsMs: [50] },
      },
      { status: 'failed', arrivalMs: 102_000, promptTokens: 10, error: 'boom' },
    ]);
    expect(result).toMatchObject({ started: '2026-03-01T12:00:00Z', model: 'm', durationS: 3 });
    expect(result?.unknown).toContain('finish reasons');
  });

  test('queue times move the arrival to the intended send', () => {
    const [result] = readResult('r.json', { ...vllm, queue_times: [0.5, 0, 0] });
    expect(result?.requests[0]).toMatchObject({ arrivalMs: 99_500, ttftMs: 600, e2eMs: 650, delayMs: 500 });
    expect(result?.unknown.join()).not.toContain('intended');
  });

  test('without details: the figures under their own names, no request, and no invented metric', () => {
    const { input_lens: _, output_lens: __, ttfts: ___, itls: ____, ...rest } = vllm;
    const { start_times: _____, latencies: ______, errors: _______, ...plain } = rest;
    const [result] = readResult('r.json', plain);
    expect(result?.requests).toEqual([]);
    expect(result?.figures).toMatchObject({ mean_ttft_ms: 150, completed: 2 });
    if (result === undefined) throw new Error('no result');
    expect(resultSummary(result, resultSpec(result, 'x'))).toMatchObject({
      ...{ metrics: {}, makespan_s: 3, reported: { mean_ttft_ms: 150 } },
    });
    expect(() => measuredRequests('r.json', result.requests)).toThrow('no completed request');
  });

  test.each([
    [{ ...vllm, ttfts: [0.1] }, 'r.json: ttfts has 1 entries, input_lens 3'],
    [{ ...vllm, itls: [[0.1], 'x', []] }, 'r.json: itls[1] is "x", expected a list'],
    [{ ...vllm, ttfts: [0.1, {}, 0] }, 'r.json: ttfts[1] is {}, expected a number'],
    [{ colour: 'red' }, 'r.json: no result of a load generator'],
  ])('broken %#', (value, message) => {
    expect(() => readResult('r.json', value)).toThrow(message);
  });
});

describe('AIPerf', () => {
  test('units, warm-up, cancelled requests, the intended send where a credit was issued', () => {
    const lines = new ResultLines('p.jsonl');
    const credit = { credit_issued_ns: 1.75e18 + 2e9 - 1e7 };
    lines.line(aiperfRow(0, {}, { benchmark_phase: 'warmup' }), 1);
    lines.line(aiperfRow(1), 2);
    lines.line(aiperfRow(2, {}, credit), 3);
    lines.line({ ...aiperfRow(3), error: { type: 'E', message: 'gone' } }, 4);
    const [result] = lines.end();
    expect(result?.requests.map(({ status }) => status)).toEqual(['completed', 'completed', 'failed']);
    expect(result?.requests[0]).toMatchObject({
      arrivalMs: 0,
      ttftMs: 200,
      e2eMs: 300,
      tpotMs: 25,
      session: 'c1',
    });
    expect(rounded(result?.requests[1] ?? {})).toMatchObject({
      arrivalMs: 990,
      ttftMs: 210,
      e2eMs: 310,
      delayMs: 10,
    });
    expect(result?.requests[2]).toMatchObject({ error: 'gone' });
    expect(result?.remarks).toEqual(['1 requests of the warm-up are left out']);
  });

  test('an unknown unit and a row without a start are refused with their place', () => {
    const lines = new ResultLines('p.jsonl');
    const wrong = aiperfRow(0, { request_latency: { value: 1, unit: 'weeks' } });
    expect(() => lines.line(wrong, 7)).toThrow('p.jsonl:7: request_latency has the unit "weeks"');
    expect(() => lines.line({ metadata: { request_start_ns: null }, metrics: {} }, 8)).toThrow(
      'p.jsonl:8: request_start_ns is null',
    );
  });

  test('the aggregates beside it bring model and figures', () => {
    const summary = {
      ...{
        schema_version: '1.0',
        aiperf_version: '0.12',
        input_config: { endpoint: { model_names: ['m'] } },
      },
      request_latency: { unit: 'ms', avg: 5, p99: 9 },
    };
    expect(readResult('s.json', summary)[0]).toMatchObject({
      ...{ model: 'm', version: '0.12', figures: { 'request_latency.avg': 5, 'request_latency.p99': 9 } },
    });
  });
});

test('inference-perf: requests with chunk times, and the report of a stage', () => {
  const request = {
    ...{ start_time: 10, end_time: 11, request: '{}' },
    info: {
      request_metrics: { text: { input_tokens: 20 } },
      response_metrics: { output_tokens: 3, output_token_times: [10.5, 10.6, 10.9] },
    },
    error: null,
  };
  const failed = { ...request, start_time: 9, error: { error_type: 'T', error_msg: 'timed out' } };
  const [result] = readResult('per_request_lifecycle_metrics.json', [request, failed]);
  expect(result?.requests[0]).toMatchObject({ status: 'failed', error: 'timed out' });
  const [, done] = result?.requests ?? [];
  expect(done).toMatchObject({ promptTokens: 20, outputTokens: 3 });
  expect(done?.ttftMs).toBeCloseTo(500);
  expect(done?.tpotMs).toBeCloseTo(200);
  expect(done?.gapsMs?.map(Math.round)).toEqual([100, 300]);
  const report = {
    load_summary: { count: 5, requested_rate: 2, achieved_rate: 1.9, schedule_delay: { mean: 0.001 } },
    successes: { count: 5, latency: { time_to_first_token: { mean: 0.2, p99: 0.4 } } },
    failures: { count: 0 },
  };
  expect(readResult('stage_0_lifecycle_metrics.json', report)[0]).toMatchObject({
    settings: { requested_rate: 2, achieved_rate: 1.9 },
    figures: { 'successes.latency.time_to_first_token.p99': 0.4 },
  });
});

test('guidellm: one result per benchmark, latencies from the targeted start', () => {
  const timings = {
    ...{ targeted_start: 1000, request_start: 1000.01, first_token_iteration: 1000.2 },
    ...{ last_token_iteration: 1000.8, request_end: 1000.9 },
  };
  const successful = [
    {
      request_id: 'a',
      info: { timings },
      input_metrics: { text_tokens: 7 },
      output_metrics: { text_tokens: 4 },
    },
  ];
  const benchmark = {
    config: { strategy: { type_: 'constant', rate: 2 } },
    scheduler_metrics: { start_time: 1000 },
    metrics: { request_latency: { successful: { mean: 0.8, percentiles: { p99: 0.9 } } } },
    requests: { successful, incomplete: [{}], errored: [] },
  };
  const results = readResult('benchmarks.json', {
    metadata: { guidellm_version: '0.4' },
    benchmarks: [benchmark, benchmark],
  });
  expect(results.map(({ part }) => part)).toEqual(['benchmark 1 of 2', 'benchmark 2 of 2']);
  const [first] = results;
  expect(first?.requests[0]).toMatchObject({
    promptTokens: 7,
    outputTokens: 4,
    requestId: 'a',
    arrivalMs: 0,
  });
  expect(first?.requests[0]?.ttftMs).toBeCloseTo(200);
  expect(first?.requests[0]?.tpotMs).toBeCloseTo(200);
  expect(first?.remarks).toEqual(['1 requests were cut off by the end: they are left out']);
  expect(first?.figures).toEqual({ 'request_latency.mean': 0.8, 'request_latency.p99': 0.9 });
});

test('SGLang: one benchmark per line', () => {
  const line = { ...vllm, mean_e2e_latency_ms: 200, total_output_tokens_retokenized: 5 };
  const lines = new ResultLines('s.jsonl');
  for (const n of [1, 2]) lines.line(line, n);
  expect(lines.end().map(({ format, part }) => [format, part])).toEqual([
    ['sglang-bench', 'line 1'],
    ['sglang-bench', 'line 2'],
  ]);
});

test('traces and other JSON are no results', () => {
  for (const value of [{ timestamp: 0, input_length: 5 }, [1, 2], 'x', null, { metadata: {} }])
    expect(looksLikeResult(value)).toBeUndefined();
});

describe('a result as a run', () => {
  const [result] = readResult('r.json', vllm);
  if (result === undefined) throw new Error('no result');

  test('rows: absent where the file does not know', () => {
    const { data, schema, rows } = requestRows(result);
    const column = (name: string) => data[schema.columns.findIndex((c) => c.name === name)];
    expect(rows).toBe(3);
    expect(column('arrival_ns')).toEqual(Float64Array.of(0, 1e9, 2e9));
    expect(column('finish_ns')).toEqual(Float64Array.of(1.5e8, 1.25e9, Number.NaN));
    expect(column('queue_ms')).toEqual(Float64Array.of(Number.NaN, Number.NaN, Number.NaN));
  });

  test('summary over the completed ones; the completed ones replay', () => {
    expect(resultSummary(result, resultSpec(result, 'x'))).toMatchObject({
      metrics: { ttft_ms: { n: 2, mean: 150 }, itl_ms: { n: 3, max: 50 }, tbt10_ms: { n: 2, mean: 40 } },
      requests: { arrived: 3, completed: 2, failed: 1 },
      makespan_s: 3,
      throughput_rps: 2 / 3,
    });
    expect(resultTraffic('r', result)).toMatchObject({ requests: 2, arrivalNs: Float64Array.of(0, 1e9) });
    expect(rounded(measuredRequests('r', result.requests)[1] ?? {})).toEqual({
      ...{ promptTokens: 10, outputTokens: 2, queued: 1, first: 1.2, last: 1.25 },
    });
  });
});

test('a closed loop without send times is laid out again for a calibration; an open one is refused', () => {
  const { start_times: _, ...closed } = { ...vllm, request_rate: 'inf', max_concurrency: 1 };
  const [result] = readResult('r.json', closed);
  const laid = measuredRequests('r.json', result?.requests ?? [], result?.settings);
  expect(rounded(laid)).toMatchObject([
    { queued: 0, last: 0.15 },
    { queued: 0.15, last: 0.4 },
  ]);
  expect(() => measuredRequests('r.json', result?.requests ?? [], { request_rate: 2 })).toThrow(
    'r.json: it does not say when each request was sent (start_times)',
  );
});

describe('there and back', () => {
  const run: ExportedRun = {
    ...{ run: 'r1', model: 'm', startedMs: Date.UTC(2026, 2, 1), durationS: 2, engine: 'dyno-http' },
    dynoVersion: '0.1.0',
    requests: [
      {
        ...{ status: 'completed', arrivalMs: 0, ttftMs: 100, e2eMs: 160, tpotMs: 30, promptTokens: 10 },
        ...{ outputTokens: 3, gapsMs: [20, 40], session: 's' },
      },
      { status: 'failed', arrivalMs: 500, promptTokens: 10, error: 'reset' },
    ],
  };

  test('vLLM: our export reads as what it was', () => {
    const json: unknown = JSON.parse(JSON.stringify(vllmResult(run)));
    expect(json).toMatchObject({
      completed: 1,
      failed: 1,
      mean_ttft_ms: 100,
      mean_itl_ms: 30,
      backend: 'dyno-http',
    });
    const [back] = readResult('v.json', json);
    expect(back?.requests[0]).toMatchObject({ ttftMs: 100, e2eMs: 160, tpotMs: 30, gapsMs: [20, 40] });
    expect(back?.requests[1]).toMatchObject({ status: 'failed', error: 'reset' });
  });

  test('AIPerf: both files, nanoseconds exact', () => {
    const text = [...aiperfRecords(run)];
    expect(text[1]).toContain('"request_start_ns":1772323200500000000');
    const lines = new ResultLines('p.jsonl');
    text.forEach((line, i) => {
      lines.line(JSON.parse(line), i + 1);
    });
    const [back] = lines.end(membersOf(JSON.parse(JSON.stringify(aiperfSummary(run)))));
    expect(back).toMatchObject({ model: 'm', figures: { 'time_to_first_token.p50': 100 } });
    expect(back?.requests[0]).toMatchObject({ ttftMs: 100, e2eMs: 160, session: 's', gapsMs: [20, 40] });
  });
});
