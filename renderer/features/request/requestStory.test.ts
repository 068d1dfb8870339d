import { expect, test } from 'vitest';
import { type Passes, type RequestRow, requestStory } from './requestStory.ts';

//  0        100       140     145        165
//  queue    prefill   transfer  decode (2 passes of 10 ms)
const row = (more: Record<string, number | string | null> = {}): RequestRow =>
  new Map(
    Object.entries({
      status: 'completed',
      arrival_ns: 0,
      scheduled_ns: 100e6,
      first_token_ns: 140e6,
      transfer_ns: 5e6,
      finish_ns: 165e6,
      prompt_tokens: 1000,
      cached_tokens: 200,
      output_tokens: 3,
      prefill_instance: 0,
      decode_instance: 1,
      preemptions: 0,
      tpot_ms: 12.5,
      ...more,
    }),
  );
const passes: readonly Passes[] = [
  { instance: 0, fromMs: 100, toMs: 140, passes: 1, prefillTokens: 1200, decodeSequences: 3 },
  { instance: 1, fromMs: 145, toMs: 165, passes: 2, prefillTokens: 0, decodeSequences: 8 },
  { instance: 2, fromMs: 0, toMs: 400, passes: 9, prefillTokens: 9, decodeSequences: 9 },
];

test('stages follow each other without a hole', () => {
  const { stages } = requestStory(row(), passes, {});
  expect(stages.map(({ id, fromMs, toMs }) => [id, fromMs, toMs])).toEqual([
    ['queue', 0, 100],
    ['prefill', 100, 140],
    ['transfer', 140, 145],
    ['decode', 145, 165],
  ]);
});

test('gaps are those of its own decode instance, the first one with the transfer in it', () => {
  expect(requestStory(row(), passes, {}).gaps).toEqual([
    { atMs: 155, gapMs: 15 },
    { atMs: 165, gapMs: 10 },
  ]);
});

test('the cause names the longest stage, against the median', () => {
  expect(requestStory(row(), passes, { queue_ms: 20 }).cause).toMatch(
    /^It waited in the queue for 100.ms, 61 % of its time \(5(\.00)? × the median of the run\)\.$/,
  );
  const decoding = requestStory(row({ scheduled_ns: 1e6, first_token_ns: 10e6, preemptions: 2 }), passes, {});
  expect(decoding.cause).toMatch(/^It decoded for .*its longest gap was 145.*preempted 2 times\.$/);
  const computing = requestStory(row({ scheduled_ns: 1e6 }), passes, {});
  expect(computing.cause).toMatch(
    /^Its prompt took .*: 800 of 1.?000 prompt tokens were not in the cache\.$/,
  );
});

test('neighbours leave its own prompt out', () => {
  const [prefill, decode] = requestStory(row(), passes, {}).neighbours;
  expect(prefill).toBe(
    'Prefill: 1 pass with 3 decoding sequences on average and 400 prompt tokens of other requests.',
  );
  expect(decode).toBe('Decode: 2 passes with 8 decoding sequences on average.');
});

test('a rejected and an unscheduled request say so', () => {
  expect(requestStory(row({ status: 'rejected' }), [], {}).cause).toContain('rejected');
  const waiting = row({ status: 'unfinished', scheduled_ns: null, first_token_ns: null, finish_ns: null });
  expect(requestStory(waiting, [], {}).cause).toBe('It was never scheduled.');
});
