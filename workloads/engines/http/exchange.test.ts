import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Exchange, longestEvent } from './exchange.ts';
import { RequestRecords } from './requestRecords.ts';

const encoder = new TextEncoder();
const bytes = (text: string): Uint8Array => encoder.encode(text);
const head = (extra = '', status = '200 OK') =>
  `HTTP/1.1 ${status}\r\ncontent-type: text/event-stream\r\n${extra}transfer-encoding: chunked\r\n\r\n`;
const chunk = (text: string) => `${bytes(text).length.toString(16)}\r\n${text}\r\n`;
const event = (data: unknown) => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
const last = '0\r\n\r\n';
const text = (t: string, more: object = {}) => ({
  id: 'cmpl-7',
  choices: [{ index: 0, text: t, finish_reason: null, ...more }],
});
const finish = { choices: [{ index: 0, text: '', finish_reason: 'length' }] };
const done = event('[DONE]');

/** One answer, one read per piece, 10 ms apart from 1 ms on. */
function answer(pieces: readonly (string | Uint8Array)[], end: 'open' | 'closed' | 'reset' = 'open') {
  const records = new RequestRecords();
  const row = records.add(0, 0);
  const heard: [time: number, count: number][] = [];
  let over = 0;
  const exchange = new Exchange(row, records, {
    tokens: (_, time, count) => heard.push([time / 1e6, count]),
    over: () => over++,
  });
  let time = 1e6;
  for (const piece of pieces) {
    const raw = typeof piece === 'string' ? bytes(piece) : piece;
    exchange.push(time, raw, 0, raw.length);
    time += 10e6;
  }
  if (end === 'closed') exchange.connectionEnded(time);
  if (end === 'reset') exchange.broke(time, 'reset');
  expect(over).toBe(exchange.over ? 1 : 0);
  const at = (column: Float64Array) => (column[row] ?? 0) / 1e6;
  return {
    exchange,
    outcome: records.outcomeOf(row),
    failure: records.notes.get(row)?.failure,
    notes: records.notes.get(row),
    tokens: records.tokens[row],
    rule: records.tokenRuleOf(row),
    heard,
    headers: at(records.headers),
    firstEvent: at(records.firstEvent),
    firstToken: at(records.firstToken),
    firstContent: at(records.firstContent),
    lastToken: at(records.lastToken),
    ended: at(records.ended),
    usage: [records.promptTokens[row], records.cachedTokens[row], records.completionTokens[row]],
    coalesced: records.coalesced[row],
    status: records.status[row],
  };
}

describe('the first token', () => {
  it('is the first content: a role, an empty text and a progress event are none', () => {
    const delta = (d: object, more: object = {}) =>
      chunk(event({ choices: [{ delta: d, finish_reason: null }], ...more }));
    const got = answer([
      head(),
      delta({ role: 'assistant', content: '' }),
      delta({}, { prompt_progress: { total: 10, processed: 5 } }),
      delta({ content: null }),
      delta({ content: 'a' }),
      chunk(event({ choices: [{ delta: {}, finish_reason: 'stop' }] }) + done) + last,
    ]);
    expect(got).toMatchObject({ outcome: 'ok', headers: 1, firstEvent: 11, firstToken: 41, tokens: 1 });
    expect(got.notes).toMatchObject({ finishReason: 'stop' });
  });

  it('may be reasoning or a tool call; the first content comes later', () => {
    const delta = (d: object) => chunk(event({ choices: [{ delta: d, finish_reason: null }] }));
    const got = answer([
      head(),
      delta({ reasoning_content: 'hm', reasoning: 'hm' }),
      delta({ tool_calls: [{ index: 0, function: { arguments: '{"x"' } }] }),
      delta({ content: 'b' }),
      chunk(event({ choices: [{ delta: {}, finish_reason: 'tool_calls' }] }) + done) + last,
    ]);
    expect(got).toMatchObject({ firstToken: 11, firstContent: 21, lastToken: 31, tokens: 3 });
  });
});

describe('tokens per event', () => {
  it('by token ids, even where the text is empty', () => {
    const got = answer([
      head(),
      chunk(event(text('', { token_ids: [1] }))),
      chunk(event(text('abc', { token_ids: [1, 2, 3] }))),
      chunk(event(finish) + done) + last,
    ]);
    expect(got).toMatchObject({
      tokens: 4,
      rule: 'ids',
      heard: [
        [11, 1],
        [21, 3],
      ],
    });
  });

  it('by the running usage', () => {
    const usage = (n: number) => ({ usage: { prompt_tokens: 9, completion_tokens: n } });
    const got = answer([
      head(),
      chunk(event({ ...text('a b'), ...usage(2) })),
      chunk(event({ ...text('c'), ...usage(3) })),
      chunk(event({ ...text(''), ...usage(4) })),
      chunk(event({ ...finish, ...usage(4) }) + event({ choices: [], ...usage(4) }) + done) + last,
    ]);
    expect(got).toMatchObject({
      tokens: 4,
      rule: 'usage',
      heard: [
        [11, 2],
        [21, 1],
        [31, 1],
      ],
    });
    expect(got.usage).toEqual([9, Number.NaN, 4]);
  });

  it('by text where usage comes at the end alone, as OpenAI and llama.cpp send it', () => {
    const usage = { prompt_tokens: 9, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 8 } };
    const got = answer([
      head(),
      chunk(event({ ...text('a'), usage: null })),
      chunk(event({ ...text('b'), usage: null })),
      chunk(event({ ...finish, usage, timings: { prompt_ms: 3, predicted_n: 2, predicted_ms: 10 } }) + done) +
        last,
    ]);
    expect(got).toMatchObject({ tokens: 2, rule: 'text', usage: [9, 8, 2] });
    expect(got.notes?.serverTimes).toEqual({ source: 'llama.cpp', ttft: 3, generation: 10 });
  });

  it('of /generate, whose text is cumulative', () => {
    const meta = (n: number, reason: object | null = null) => ({
      id: 'r1',
      prompt_tokens: 5,
      completion_tokens: n,
      cached_tokens: 4,
      finish_reason: reason,
    });
    const got = answer([
      head(),
      chunk(event({ text: 'a', meta_info: meta(1) })),
      chunk(event({ text: 'abcd', meta_info: meta(3) })),
      chunk(event({ text: 'abcd', meta_info: meta(3, { type: 'length', length: 3 }) }) + done) + last,
    ]);
    expect(got).toMatchObject({
      outcome: 'ok',
      tokens: 3,
      heard: [
        [11, 1],
        [21, 2],
      ],
      usage: [5, 4, 3],
    });
    expect(got.notes).toMatchObject({ finishReason: 'length', requestId: 'r1' });
  });

  it('events of one read share its stamp and count as coalesced', () => {
    const got = answer([
      head(),
      chunk(event(text('a'))) + chunk(event(text('b'))),
      chunk(event(finish) + done),
    ]);
    expect(got).toMatchObject({
      tokens: 2,
      coalesced: 1,
      heard: [
        [11, 1],
        [11, 1],
      ],
    });
  });
});

describe('no success', () => {
  const a = chunk(event(text('a')));
  it.each<[string, readonly string[], 'open' | 'closed' | 'reset', RegExp]>([
    [
      'an error object, then [DONE], as vLLM',
      [head(), a, chunk(event({ error: { message: 'boom', type: 'E' } }) + done)],
      'open',
      /^error inside the stream after 1 tokens: boom \(E\)/,
    ],
    [
      'an error object and a close, as llama.cpp',
      [head(), a, chunk(event({ error: { message: 'boom', code: 500 } })), last],
      'closed',
      /boom \(500\)/,
    ],
    [
      'an end without a finish reason',
      [head(), a, chunk(done) + last],
      'open',
      /^truncated: the stream ended without a finish reason after 1 tokens/,
    ],
    [
      'a close inside a chunk',
      [head(), a, '1f\r\ndata: {"ch'],
      'closed',
      /^truncated: the connection closed inside the answer after 1 tokens/,
    ],
    ['a reset', [head(), a], 'reset', /^reset after 1 tokens/],
    ['a close without an answer', [], 'closed', /without an answer/],
    [
      'wrong JSON',
      [head(), chunk('data: {"choices":[{"text":"a}]}\n\n')],
      'open',
      /^wrong JSON in an event: expected .* at byte/,
    ],
    ['an empty answer', [head(), last], 'open', /^an empty answer/],
    [
      'a JSON body instead of a stream',
      ['HTTP/1.1 200 OK\r\ncontent-length: 29\r\n\r\n{"choices":[{"text":"whole"}]}'.slice(0, -1)],
      'open',
      /no event stream/,
    ],
    [
      'an error body with status 200',
      ['HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{"error":"sorry"}'],
      'open',
      /^error with status 200: sorry/,
    ],
    [
      'a redirect',
      ['HTTP/1.1 307 T\r\nlocation: http://other/\r\ncontent-length: 0\r\n\r\n'],
      'open',
      /redirects are refused \(to http:\/\/other\/\)/,
    ],
    [
      '401',
      ['HTTP/1.1 401 U\r\ncontent-length: 38\r\n\r\n{"error":{"message":"no","type":"auth"}}'.slice(0, -2)],
      'open',
      /--api-key-env/,
    ],
    [
      'an HTML page',
      ['HTTP/1.1 502 Bad\r\ncontent-length: 31\r\n\r\n<html><h1>Bad  Gateway</h1></ht'],
      'open',
      /^status 502: Bad Gateway/,
    ],
    ['no HTTP', ['SSH-2.0-OpenSSH\r\n\r\n'], 'open', /^bad HTTP: no HTTP\/1.1 response/],
    ['a bad chunk size', [head(), 'zz\r\n'], 'open', /chunk size "zz"/],
  ])('%s', (_, pieces, end, failure) => {
    const got = answer(pieces, end);
    expect(got.failure).toMatch(failure);
    expect(got.failure).not.toMatch(/\n/);
    expect(got.outcome).toBe('failed');
  });

  it('an event without an end is given up at its bound, a long one is not', () => {
    const filler = 'x'.repeat(1 << 20);
    const long = event(text(filler.repeat(10)));
    expect(answer([head(), chunk(long), chunk(event(finish) + done)])).toMatchObject({
      outcome: 'ok',
      tokens: 1,
    });
    const endless = [
      'HTTP/1.1 200 OK\r\n\r\n',
      'data: {"a":"',
      ...Array.from({ length: (longestEvent >> 20) + 1 }, () => filler),
    ];
    expect(answer(endless)).toMatchObject({
      outcome: 'failed',
      failure: 'an event of more than 16 MiB without an end',
    });
  });

  it('429 and 503 are rejected, with the wait in seconds from either form', () => {
    const refuse = (status: string, headers: string) =>
      answer([`HTTP/1.1 ${status}\r\n${headers}content-length: 0\r\n\r\n`]);
    expect(refuse('429 Too Many', 'Retry-After: 3\r\n')).toMatchObject({
      outcome: 'rejected',
      notes: { retryAfter: 3 },
    });
    const date = 'Date: Tue, 01 Dec 2026 10:00:00 GMT\r\nRetry-After: Tue, 01 Dec 2026 10:00:07 GMT\r\n';
    expect(refuse('503 Busy', date)).toMatchObject({ outcome: 'rejected', notes: { retryAfter: 7 } });
    expect(refuse('503 Busy', '').notes?.retryAfter).toBeUndefined();
  });
});

it('bytes that are no UTF-8 are counted; the tokens count', () => {
  const bad = Uint8Array.from([...bytes('data: {"choices":[{"text":"'), 0xc3, 0x28, ...bytes('"}]}\n\n')]);
  const size = bytes(`${bad.length.toString(16)}\r\n`);
  const got = answer([head(), Uint8Array.from([...size, ...bad, 13, 10]), chunk(event(finish) + done)]);
  expect(got).toMatchObject({ outcome: 'ok', tokens: 1 });
  expect(got.exchange.badUtf8Events).toBe(1);
});

it('a connection is free once the last chunk came, also in a read of its own', () => {
  const pieces = [head(), chunk(event(text('a'))), chunk(event(finish) + done)];
  expect(answer(pieces).exchange.reusable).toBe(false);
  expect(answer([...pieces, last]).exchange.reusable).toBe(true);
  expect(answer([head('connection: close\r\n'), ...pieces.slice(1), last]).exchange.reusable).toBe(false);
});

it('the same answer comes of any division into reads', () => {
  const whole = bytes(
    head() +
      chunk(': ping\n\n') +
      chunk(event(text('grüße 🎉')).replaceAll('\n', '\r\n')) +
      chunk('event: note\ndata: {"a":1,\ndata: "b":2}\n\ndata:{"choices":[{"text":"x"}]}\n\n') +
      chunk(event({ ...finish, usage: { completion_tokens: 2, prompt_tokens: 3 } }) + done) +
      last,
  );
  const { exchange: _, ...expected } = answer([whole], 'closed');
  expect(expected).toMatchObject({ outcome: 'ok', tokens: 2, usage: [3, Number.NaN, 2] });
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: whole.length - 1 }), { maxLength: 30 }), (cuts) => {
      const edges = [0, ...[...new Set(cuts)].sort((a, b) => a - b), whole.length];
      const pieces = edges.slice(1).map((to, i) => whole.slice(edges[i] ?? 0, to));
      const { tokens, outcome, usage, notes } = answer(pieces, 'closed');
      expect({ tokens, outcome, usage, notes }).toEqual({
        tokens: expected.tokens,
        outcome: expected.outcome,
        usage: expected.usage,
        notes: expected.notes,
      });
    }),
  );
});
