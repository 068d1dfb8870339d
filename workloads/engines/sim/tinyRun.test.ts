import { describe, expect, test } from 'vitest';
import { tinyRun } from './tinyRun.ts';

// 1 ms per prompt token, 100 ms per output token of the whole batch, unless said otherwise.

describe('one instance', () => {
  test('prompt, first token, then a token per pass', () => {
    //  0        100       200       300
    //  ├ prompt ─┤ token 2 ┤ token 3 ┤
    const { requests, summary } = tinyRun({}, [{ at: 0, prompt: 100, output: 3 }]);
    expect(requests[0]).toMatchObject({ scheduled: 0, first: 100, finish: 300 });
    expect(summary.metrics.ttft_ms?.mean).toBe(100);
    expect(summary.metrics.tpot_ms?.mean).toBe(100);
    expect(summary.metrics.itl_ms?.n).toBe(2);
  });

  test('two sequences share the decode rate; a prompt makes the others wait', () => {
    //      0     100          250     450     650     750
    //  A   ├ prompt ┤ + B's prompt ┤  pass  ┤  pass  ┤  pass ┤      pass of one 100, of two 200
    //  B            ├── 50 + 100 ──┤        ┤        ┤ends
    const { requests } = tinyRun({}, [
      { at: 0, prompt: 100, output: 5 },
      { at: 30, prompt: 50, output: 3 },
    ]);
    expect(requests[0]).toMatchObject({ first: 100, finish: 750 });
    expect(requests[1]).toMatchObject({ scheduled: 100, first: 250, finish: 650 });
  });

  test('a long prompt is cut into chunks by the token budget', () => {
    // Budget 64: 100 tokens in two passes; a second prompt fills what is left of the second pass.
    const { requests, sink } = tinyRun({ budget: 64, sequences: 64 }, [
      { at: 0, prompt: 100, output: 1 },
      { at: 1, prompt: 20, output: 1 },
    ]);
    expect(requests[0]).toMatchObject({ first: 120, finish: 120 });
    expect(requests[1]).toMatchObject({ scheduled: 64, first: 120 });
    expect(sink.table('iterations').map((row) => row['prefill_tokens'])).toEqual([64, 56]);
  });

  test('passes with the same batch are one row', () => {
    const { sink } = tinyRun({}, [{ at: 0, prompt: 100, output: 501 }]);
    const rows = sink.table('iterations');
    expect(rows.map((row) => [row['passes'], row['decode_sequences']])).toEqual([
      [1, 0],
      [500, 1],
    ]);
    expect(rows[1]?.['end_ns']).toBe(50_100e6);
  });

  test('no more sequences than allowed, in order of arrival', () => {
    const { requests } = tinyRun({ sequences: 1 }, [
      { at: 0, prompt: 10, output: 2 },
      { at: 0, prompt: 10, output: 2 },
    ]);
    expect(requests.map((r) => [r.first, r.finish])).toEqual([
      [10, 110],
      [120, 220],
    ]);
  });
});

describe('prefix cache', () => {
  test('known blocks are not computed again, but one token always is', () => {
    const { requests, summary } = tinyRun({}, [
      { at: 0, prompt: 40, output: 1, ids: [0, 1, 2] },
      { at: 100, prompt: 48, output: 1, ids: [0, 1, 3] },
      { at: 200, prompt: 40, output: 1, ids: [0, 1, 2] },
    ]);
    expect(requests.map((r) => r.cached)).toEqual([0, 32, 39]);
    expect(requests.map((r) => r.first)).toEqual([40, 116, 201]);
    expect(summary.kv).toMatchObject({ block_refs: 9, hits: 5, hit_tokens: 71 });
  });

  test('blocks are there for others as soon as they are computed, chunk by chunk', () => {
    // The second request is admitted when the first 16 tokens are done and finds that one block.
    const { requests } = tinyRun({ budget: 16, sequences: 16 }, [
      { at: 0, prompt: 64, output: 1, ids: [0, 1, 2, 3] },
      { at: 1, prompt: 64, output: 1, ids: [0, 1, 2, 3] },
    ]);
    expect(requests[1]?.cached).toBe(63);
    expect(requests[1]).toMatchObject({ scheduled: 64, first: 65 });
  });

  test('without reuse everything is computed', () => {
    const { requests } = tinyRun({ reuse: false }, [
      { at: 0, prompt: 32, output: 1, ids: [0, 1] },
      { at: 100, prompt: 32, output: 1, ids: [0, 1] },
    ]);
    expect(requests[1]).toMatchObject({ cached: 0, first: 132 });
  });
});

describe('memory', () => {
  test('the latest request is preempted and computed again, with what it had generated', () => {
    // 3 blocks of 16. A and B take one each, A's 17th slot takes the third, B's 17th slot finds none left.
    const { requests, summary } = tinyRun({ instances: [{ blocks: 3 }] }, [
      { at: 0, prompt: 15, output: 20 },
      { at: 0, prompt: 14, output: 8 },
    ]);
    expect(requests[0]?.preemptions).toBe(0);
    expect(requests[1]?.preemptions).toBe(1);
    expect(summary.requests).toMatchObject({ completed: 2, preempted: 1 });
    expect(summary.output_tokens_per_s * summary.makespan_s).toBeCloseTo(28, 9);
  });

  test('what can never fit is refused before the run', () => {
    expect(() => tinyRun({ instances: [{ blocks: 2 }] }, [{ at: 0, prompt: 30, output: 4 }])).toThrow(
      'tiny: request 0 needs 3 KV blocks of 16 tokens (30 prompt + 4 output tokens), instance i0 has 2',
    );
  });
});

describe('prefill and decode pools', () => {
  const pools = [{ pool: 'prefill' }, { pool: 'decode' }] as const;

  test('the KV cache moves over the link, then decoding goes on', () => {
    // 100 tokens × 131,072 B at 1 GB/s = 13.1072 ms, + 1 ms latency.
    const { requests, summary } = tinyRun({ instances: pools, linkGbPerS: 1, linkLatencyUs: 1000 }, [
      { at: 0, prompt: 100, output: 3 },
    ]);
    expect(requests[0]).toMatchObject({ first: 100, prefillInstance: 0, decodeInstance: 1 });
    expect(requests[0]?.transfer).toBeCloseTo(14.1072, 6);
    expect(requests[0]?.finish).toBeCloseTo(314.1072, 6);
    expect(summary.kv).toMatchObject({ transfers: 1, transfer_bytes: 13107200 });
    // The gap that the transfer made is in the token gaps.
    expect(summary.metrics.itl_ms?.max).toBeCloseTo(114.1072, 6);
  });

  test('one link carries one transfer at a time', () => {
    const { requests } = tinyRun({ instances: pools, linkGbPerS: 0.1 }, [
      { at: 0, prompt: 100, output: 2 },
      { at: 0, prompt: 100, output: 2 },
    ]);
    // Both prompts end at 200 ms; each needs 131.072 ms of the link.
    expect(requests[0]?.transfer).toBeCloseTo(131.072, 6);
    expect(requests[1]?.transfer).toBeCloseTo(262.144, 6);
  });

  test('blocks that the decoding instance has need not travel', () => {
    const { summary } = tinyRun({ instances: pools }, [
      { at: 0, prompt: 32, output: 2, ids: [0, 1] },
      { at: 1000, prompt: 48, output: 2, ids: [0, 1, 2] },
    ]);
    expect(summary.kv.transfer_bytes).toBe((32 + 16) * 131072);
  });

  test('a full decode pool makes the prompt wait where it is', () => {
    const { requests, summary } = tinyRun(
      { instances: [{ pool: 'prefill' }, { pool: 'decode', blocks: 2 }] },
      [
        { at: 0, prompt: 20, output: 4 },
        { at: 0, prompt: 20, output: 4 },
      ],
    );
    // The first one decodes until 40 + transfer + 300; only then are its two blocks free.
    expect(requests[1]?.transfer).toBeGreaterThan(300);
    expect(summary.requests.completed).toBe(2);
  });

  test('a single token never moves', () => {
    const { requests, summary } = tinyRun({ instances: pools }, [{ at: 0, prompt: 10, output: 1 }]);
    expect(requests[0]).toMatchObject({ decodeInstance: 0, finish: 10 });
    expect(summary.kv.transfers).toBe(0);
  });
});
