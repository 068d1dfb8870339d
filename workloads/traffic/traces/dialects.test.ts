import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../run/inputError.ts';
import { readTrace } from '../readTraffic.ts';
import type { Traffic } from '../traffic.ts';
import type { TraceChoice } from './intake.ts';

/** Files of every dialect as their field lists have them, from drawn requests: what is written must be read back. */
interface Drawn {
  readonly gapMs: number;
  readonly prompt: number;
  readonly output: number;
}

const drawn = fc.record({
  gapMs: fc.integer({ min: 20, max: 60_000 }),
  prompt: fc.integer({ min: 1, max: 9000 }),
  output: fc.integer({ min: 1, max: 900 }),
});
const some = fc.array(drawn, { minLength: 12, maxLength: 40 });

const encoder = new TextEncoder();
async function* cut(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const read = (text: string, choice?: TraceChoice, size = 1000): Promise<Traffic> =>
  readTrace('t', cut(text, size), choice);

/** Arrival times in ms since the first one. */
function timesOf(requests: readonly Drawn[]): number[] {
  let time = 0;
  return requests.map(({ gapMs }, i) => {
    if (i > 0) time += gapMs;
    return time;
  });
}

function expectRead(traffic: Traffic, requests: readonly Drawn[]): void {
  expect([...traffic.arrivalNs]).toEqual(timesOf(requests).map((ms) => ms * 1e6));
  expect([...traffic.promptTokens]).toEqual(requests.map(({ prompt }) => prompt));
  expect([...traffic.outputTokens]).toEqual(requests.map(({ output }) => output));
}

const iso = (ms: number, zone: string): string =>
  `${new Date(1_700_000_000_000 + ms).toISOString().replace('T', ' ').replace('Z', '')}0000${zone}`;

/** A table in the ways in which spreadsheets, pandas and databases save it. */
const tables = fc.record({
  newline: fc.constantFrom('\n', '\r\n'),
  mark: fc.constantFrom('', '\ufeff'),
  quote: fc.constantFrom('', '"'),
  index: fc.boolean(),
  trailing: fc.boolean(),
  delimiter: fc.constantFrom(',', ';', '\t'),
  space: fc.constantFrom('', ' '),
});
type Table = typeof tables extends fc.Arbitrary<infer T> ? T : never;

function csv(header: readonly string[], rows: readonly (readonly (string | number)[])[], how: Table): string {
  const line = (cells: readonly (string | number)[], index: string | number): string => {
    const all = [...(how.index ? [index] : []), ...cells, ...(how.trailing ? [''] : [])];
    return all
      .map((cell) => `${how.quote}${cell}${how.quote}`)
      .join(`${how.delimiter}${how.quote === '' ? how.space : ''}`);
  };
  return how.mark + [line(header, ''), ...rows.map((row, i) => line(row, i))].join(how.newline) + how.newline;
}

const runs = { numRuns: 40 };

describe('CSV dialects, however the table was saved', () => {
  it.each([
    [
      'azure',
      ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens'],
      (t: number, r: Drawn) => [iso(t, ''), r.prompt, r.output],
    ],
    [
      'azure',
      ['TIMESTAMP', 'NumImages', 'ContextTokens', 'GeneratedTokens'],
      (t: number, r: Drawn) => [iso(t, '+00:00'), 2, `${r.prompt}.0`, r.output],
    ],
    [
      'burstgpt',
      [
        'Timestamp',
        'Session ID',
        'Elapsed time',
        'Model',
        'Request tokens',
        'Response tokens',
        'Total tokens',
        'Log Type',
      ],
      (t: number, r: Drawn) => [t / 1000, '', 1, 'GPT-4', r.prompt, r.output, r.prompt + r.output, 'API log'],
    ],
    [
      'vidur',
      ['arrived_at', 'num_prefill_tokens', 'num_decode_tokens', 'pd_ratio'],
      (t: number, r: Drawn) => [t / 1000, r.prompt, r.output, 1.5],
    ],
    [
      'splitwise',
      [
        'request_id',
        'request_type',
        'application_id',
        'arrival_timestamp',
        'batch_size',
        'prompt_size',
        'token_size',
      ],
      (t: number, r: Drawn) => [1, 2, 0, t / 1000, 1, r.prompt, r.output],
    ],
  ] as const)('%s %j', async (format, header, row) => {
    await fc.assert(
      fc.asyncProperty(some, tables, fc.integer({ min: 1, max: 300 }), async (requests, how, size) => {
        const times = timesOf(requests);
        const text = csv(
          header,
          requests.map((r, i) => row(times[i] ?? 0, r)),
          how,
        );
        const traffic = await read(text, {}, size);
        expect(traffic.source?.format).toBe(format);
        expectRead(traffic, requests);
      }),
      runs,
    );
  });
});

describe('JSON dialects', () => {
  const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

  it('Mooncake and its kin with any block size, counted by ceiling or by floor, ids as numbers, 64 bits or strings', async () => {
    const sizes = fc.constantFrom(16, 32, 64, 128, 256, 512, 1024);
    const idKind = fc.constantFrom('number', 'u64', 'hex');
    await fc.assert(
      fc.asyncProperty(some, sizes, fc.boolean(), idKind, async (requests, size, ceiling, kind) => {
        const times = timesOf(requests);
        let next = 5;
        const id = (): string => {
          next++;
          return kind === 'number'
            ? `${next}`
            : kind === 'u64'
              ? `${17_000_000_000_000_000_000n + BigInt(next)}`
              : `"${next.toString(16)}ff"`;
        };
        // A long first prompt tells block sizes apart that short ones leave open.
        const all = requests.map((r, i) => (i === 0 ? { ...r, prompt: 65_537 } : r));
        const text = all
          .map(({ prompt, output }, i) => {
            const blocks = ceiling ? Math.ceil(prompt / size) : Math.floor(prompt / size);
            const ids = Array.from({ length: blocks }, id).join(', ');
            return `{"timestamp": ${times[i]}, "input_length": ${prompt}, "output_length": ${output}, "hash_ids": [${ids}]}\n`;
          })
          .join('');
        const traffic = await read(text);
        expect(traffic.blockTokens).toBe(size);
        expectRead(traffic, all);
        expect(traffic.uniqueBlocks).toBe(all.reduce((sum, { prompt }) => sum + Math.ceil(prompt / size), 0));
      }),
      runs,
    );
  });

  it('Qwen-Bailian: turns of a chat are one session', async () => {
    await fc.assert(
      fc.asyncProperty(some, async (requests) => {
        const times = timesOf(requests);
        const traffic = await read(
          lines(
            requests.map(({ prompt, output }, i) => ({
              chat_id: i,
              parent_chat_id: i < 3 ? -1 : i - 3,
              timestamp: (times[i] ?? 0) / 1000,
              input_length: prompt,
              output_length: output,
              type: 'text',
              turn: 1 + Math.floor(i / 3),
              hash_ids: Array.from({ length: Math.ceil(prompt / 16) }, (_, k) => i * 1000 + k),
            })),
          ),
        );
        expect(traffic.source).toMatchObject({ format: 'bailian', time_unit: 's', block_tokens: 16 });
        expectRead(traffic, requests);
        expect(new Set(traffic.session).size).toBe(3);
      }),
      runs,
    );
  });

  it('Dynamo request traces: events of other kinds between them, 64-bit hashes of whole blocks, sessions', async () => {
    await fc.assert(
      fc.asyncProperty(some, fc.constantFrom(16, 64, 128), async (requests, size) => {
        const times = timesOf(requests);
        const text = requests
          .map(({ prompt, output }, i) => {
            const hashes = Array.from(
              { length: Math.floor(prompt / size) },
              (_, k) => `${9_900_000_000_000_000_000n + BigInt(i * 1000 + k)}`,
            );
            const received = 1_753_780_607_550 + (times[i] ?? 0);
            return `{"event_type": "request_payload", "request_id": "r${i}"}\n{"schema": "dynamo.request.trace.v1", "event_type": "request_end", "event_time_unix_ms": ${received + 9}, "agent_context": {"session_id": "s${i % 4}"}, "request": {"request_id": "r${i}", "model": "m", "input_tokens": ${prompt}, "output_tokens": ${output}, "request_received_ms": ${received}, "replay": {"trace_block_size": ${size}, "input_length": ${prompt}, "input_sequence_hashes": [${hashes.join(',')}]}}}\n`;
          })
          .join('');
        const traffic = await read(text);
        expect(traffic.source).toMatchObject({ format: 'dynamo', time_unit: 'ms' });
        expectRead(traffic, requests);
        expect(new Set(traffic.session).size).toBe(4);
      }),
      runs,
    );
  });

  it('LLMServingSim, flat and agentic; vLLM’s own times', async () => {
    const requests = [
      { gapMs: 0, prompt: 300, output: 20 },
      { gapMs: 500, prompt: 40, output: 7 },
    ];
    const flat = await read(
      lines(
        requests.map(({ prompt, output }, i) => ({
          input_toks: prompt,
          output_toks: output,
          arrival_time_ns: i * 5e8,
          input_tok_ids: [1, 2],
        })),
      ),
    );
    expect(flat.source?.format).toBe('llmservingsim');
    expectRead(flat, requests);
    const agentic = await read(
      lines([
        {
          session_id: 'a',
          arrival_time_ns: 0,
          sub_requests: [
            { input_toks: 100, output_toks: 3, tool_duration_ns: 2_000_000 },
            { input_toks: 140, output_toks: 4, tool_duration_ns: 0 },
          ],
        },
        {
          session_id: 'b',
          arrival_time_ns: 1e9,
          sub_requests: [{ input_toks: 9, output_toks: 1, tool_duration_ns: 0 }],
        },
      ]),
    );
    expect([...agentic.promptTokens]).toEqual([100, 140, 9]);
    expect([...(agentic.turns?.previous ?? [])]).toEqual([-1, 0, -1]);
    expect(agentic.turns?.thinkNs[1]).toBe(2_000_000);
    const served = await read(
      lines(
        requests.map(({ prompt, output }, i) => ({
          input_toks: prompt,
          output_toks: output,
          arrival_time: 1_777_142_838.5 + i / 2,
          queued_ts: 5,
          first_token_ts: 6,
        })),
      ),
    );
    expect(served.source?.format).toBe('vllm');
    expect(served.arrivalNs[1]).toBe(5e8);
  });

  it('ShareGPT: turns of a conversation follow one another; times and tokens are asked for', async () => {
    const text = JSON.stringify([
      {
        id: 'x',
        conversations: [
          { from: 'human', value: 'a'.repeat(40) },
          { from: 'gpt', value: 'b'.repeat(80) },
          { from: 'human', value: 'c'.repeat(8) },
          { from: 'gpt', value: 'd'.repeat(4) },
        ],
      },
      {
        id: 'y',
        conversations: [
          { from: 'human', value: 'é'.repeat(12) },
          { from: 'gpt', value: '\n\u2028"' },
        ],
      },
    ]);
    await expect(read(text)).rejects.toThrow('--rate R');
    await expect(read(text, { rate_rps: 2 })).rejects.toThrow('--chars-per-token 4');
    for (const size of [1, 7, 1000]) {
      const traffic = await read(text, { rate_rps: 2, chars_per_token: 4 }, size);
      const byPrompt = [...traffic.promptTokens].toSorted((a, b) => a - b);
      expect(byPrompt).toEqual([3, 10, 32]);
      expect(traffic.turns?.previous.filter((before) => before >= 0)).toHaveLength(1);
    }
  });

  it('AIPerf: rows of a session are new turns unless their ids or lengths show the whole conversation', async () => {
    const turn = (session: string, more: object): object => ({
      session_id: session,
      output_length: 5,
      ...more,
    });
    const added = await read(
      lines([
        turn('a', { timestamp: 0, input_length: 100 }),
        turn('a', { delay: 10, input_length: 20 }),
        turn('a', { delay: 10, input_length: 30 }),
      ]),
    );
    expect([...added.promptTokens]).toEqual([100, 125, 160]);
    const whole = await read(
      lines([
        turn('a', { timestamp: 0, input_length: 600, hash_ids: [1, 2] }),
        turn('a', { delay: 10, input_length: 900, hash_ids: [1, 3] }),
      ]),
    );
    expect([...whole.promptTokens]).toEqual([600, 900]);
  });
});

describe('what is kept', () => {
  const text = Array.from(
    { length: 100 },
    (_, i) =>
      `{"session_id": "s${i % 10}", "timestamp": ${i * 1000}, "input_length": ${i + 1}, "output_length": 1, "hash_ids": [${i % 10}]}\n`,
  ).join('');

  it('from, to, limit and sample', async () => {
    expect([...(await read(text, { from_s: 10, to_s: 13 })).promptTokens]).toEqual([11, 12, 13]);
    expect((await read(text, { limit: 7 })).requests).toBe(7);
    const half = await read(text, { sample: 0.5 });
    // Whole sessions are kept: each has ten requests.
    expect(half.requests % 10).toBe(0);
    expect(half.requests).toBeGreaterThan(0);
    expect(half.requests).toBeLessThan(100);
    expect(await read(text, { sample: 0.5 })).toEqual(half);
    await expect(read(text, { from_s: 1000 })).rejects.toThrow('none of 100 requests is left');
  });

  it('implausible lengths are asked about, and dropped where asked', async () => {
    const long = `{"timestamp": 0, "input_length": 150000000, "output_length": 1}\n{"timestamp": 5, "input_length": 15, "output_length": 1}\n`;
    await expect(read(long)).rejects.toThrow(
      't:1: input_length is 150000000, more than any context, expected at most 10000000 tokens; --drop-oversized leaves such requests out',
    );
    expect(await read(long, { drop_oversized: true })).toMatchObject({
      requests: 1,
      source: { dropped_oversized: 1 },
    });
  });

  it('seconds in whole numbers at many requests a second are asked about', async () => {
    const busy = Array.from(
      { length: 60 },
      (_, i) => `{"timestamp": ${Math.floor(i / 6)}, "input_length": 9, "output_length": 1}\n`,
    ).join('');
    await expect(read(busy)).rejects.toThrow('--time-unit s|ms|us|ns');
    expect((await read(busy, { time_unit: 's' })).arrivalNs.at(-1)).toBe(9e9);
  });
});

describe('anything at all', () => {
  const survives = async (text: string, size: number): Promise<void> => {
    for (const choice of [
      {},
      { rate_rps: 1, chars_per_token: 4, drop_empty: true, drop_oversized: true, output_tokens: 3 },
    ])
      await read(text, choice, Math.max(1, size)).catch((thrown: unknown) =>
        expect(thrown).toBeInstanceOf(InputError),
      );
  };

  it('is read or refused in one line: deep nesting, damage, other shapes', async () => {
    const good = [
      '[{"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}]}]',
      '{"schema": "dynamo.request.trace.v1", "event_type": "request_end", "request": {"output_tokens": 3, "request_received_ms": 5, "replay": {"trace_block_size": 16, "input_length": 30, "input_sequence_hashes": [1]}}}\n',
      '{"session_id": "a", "arrival_time_ns": 0, "sub_requests": [{"input_toks": 3, "output_toks": 1}]}\n',
      'Timestamp,Model,Request tokens,Response tokens\n5,"a ""b"", c",3,4\n',
    ];
    await survives(`{"messages": ${'[{"content":'.repeat(5000)}`, 100);
    await survives(`[${'['.repeat(100_000)}`, 1000);
    await survives(`{"request": ${'{"request":'.repeat(20_000)}`, 1000);
    await survives(`${'"'.repeat(9999)},a\n`, 50);
    for (const text of good) {
      for (let end = 0; end <= text.length; end++) await survives(text.slice(0, end), 9);
      await fc.assert(
        fc.asyncProperty(
          fc.nat(text.length - 1),
          fc.string({ maxLength: 4 }),
          fc.integer({ min: 1, max: 40 }),
          (at, put, size) => survives(text.slice(0, at) + put + text.slice(at + 1), size),
        ),
        { numRuns: 150 },
      );
    }
  });
});
