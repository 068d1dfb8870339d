import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../run/inputError.ts';
import { maxLineBytes } from './lines.ts';
import { readTrace, readTraffic } from './readTraffic.ts';
import { slice, speedUp, totals } from './shape.ts';
import { detectTrace, headBytes } from './traces/detectTrace.ts';
import type { Traffic } from './traffic.ts';
import { writeAzure, writeMooncake } from './writers.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function* chunks(data: Uint8Array, size = data.length): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

const mooncake = (text: string, size?: number): Promise<Traffic> =>
  readTrace('t.jsonl', chunks(bytes(text), size));
const azure = (text: string, size?: number): Promise<Traffic> =>
  readTrace('t.csv', chunks(bytes(text), size));
const refusal = async (reading: Promise<Traffic>): Promise<string> => {
  try {
    await reading;
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return 'read without complaint';
};

const line = (timestamp: number, prompt: number, output: number, ids: readonly number[]): string =>
  `{"timestamp": ${timestamp}, "input_length": ${prompt}, "output_length": ${output}, "hash_ids": [${ids.join(', ')}]}\n`;
const good = line(0, 600, 5, [7, 9]) + line(1500, 100, 6, [7]);
const header = 'TIMESTAMP,ContextTokens,GeneratedTokens\n';

describe('Mooncake traces', () => {
  it('become columns: ns, tokens, dense block ids', async () => {
    const traffic = await mooncake(good);
    expect([...traffic.arrivalNs]).toEqual([0, 1.5e9]);
    expect([...traffic.promptTokens]).toEqual([600, 100]);
    expect([...traffic.outputTokens]).toEqual([5, 6]);
    expect([...traffic.blockOffsets]).toEqual([0, 2, 3]);
    expect([...traffic.blockIds]).toEqual([0, 1, 0]);
    expect(traffic).toMatchObject({ requests: 2, blockTokens: 512, uniqueBlocks: 2 });
  });

  it('read alike with CRLF, a byte order mark, blank lines, no last line break, other keys, and in any chunks', async () => {
    const expected = await mooncake(good);
    const texts = [
      good.replaceAll('\n', '\r\n'),
      `\ufeff${good}`,
      `${good}\n  \n`,
      good.trimEnd(),
      good.replaceAll('{', '{"model": {"a": ["x\\u0041\\"", null, true, -1.5e-3]}, '),
    ];
    for (const text of texts)
      for (const size of [1, 3, 64, 10_000]) expect(await mooncake(text, size)).toEqual(expected);
  });

  it('are put in order of arrival, ids in order of first use', async () => {
    const traffic = await mooncake(line(30, 10, 1, [5]) + line(10, 10, 2, [6]) + line(10, 10, 3, [5]));
    expect([...traffic.arrivalNs]).toEqual([0, 0, 20e6]);
    expect([...traffic.outputTokens]).toEqual([2, 3, 1]);
    expect([...traffic.blockIds]).toEqual([0, 1, 1]);
  });

  it('keep fractions of a ms, and times since 1970 exactly', async () => {
    const traffic = await mooncake(line(1700000000000.5, 10, 1, [1]) + line(1700000000001.75, 10, 1, [2]));
    expect([...traffic.arrivalNs]).toEqual([0, 1.25e6]);
  });

  it('may know no prefixes', async () => {
    const traffic = await mooncake('{"timestamp":0,"input_length":5000,"output_length":1}\n');
    expect(traffic).toMatchObject({ blockTokens: 0, uniqueBlocks: 0 });
  });

  it.each([
    ['', 't.jsonl: no request, expected a trace of requests'],
    [`${good}{"timestamp": 3`, 't.jsonl:3: the end of the line at column 16, expected "}"'],
    [`${good}oops`, 't.jsonl:3: "oops" at column 1, expected "{"'],
    [
      '\x1f\x8b\x08\x00',
      't.jsonl:1: another kind of text, expected a trace of requests: JSON objects, one per line, or a CSV file',
    ],
    [line(-1, 10, 1, [1]), 't.jsonl:1: timestamp is -1, expected a time, 0 or more'],
    [
      line(0, 0, 1, []),
      't.jsonl:1: input_length is 0, expected an integer from 1; --drop-empty leaves such requests out',
    ],
    [line(0, 10, 1.5, [1]), 't.jsonl:1: output_length is 1.5, expected an integer 1 to 2147483646'],
    [line(0, 1e12, 1, [1]), 't.jsonl:1: input_length is 1000000000000, expected an integer 1 to 2147483646'],
    [
      line(0, 1600, 1, [1]),
      't.jsonl:1: 1 hash_ids for 1600 tokens fit blocks of 2048 to 4096 tokens, expected one id per block; --block-tokens N gives the size',
    ],
    [
      line(0, 600, 1, [1, 2]) + line(1, 900, 1, [1]) + line(2, 900, 1, [1, 2, 3]),
      't.jsonl:2: 2 hash_ids for 600 tokens and 1 hash_ids for 900 tokens fit no block size, expected one id per block',
    ],
    [
      line(0, 600, 1, [1, 1]),
      't.jsonl:1: hash id 1 twice in one request, expected each block of a prompt once',
    ],
    [line(0, 10, 1, [-4]), 't.jsonl:1: hash id -4, expected an integer from 0, or a string'],
    ['{"timestamp":0,"input_length":1}', 't.jsonl:1: no output_length, expected a number of tokens'],
    ['{"timestamp":"zero"}', 't.jsonl:1: ""zero"}" at column 14, expected a number'],
    [`${good.trimEnd()} x`, 't.jsonl:2: "x" after the object, expected the end of the line'],
    ['{"timestamp":0,"timestamp":1}', 't.jsonl:1: timestamp twice, expected each key once'],
    ['['.repeat(10), 't.jsonl: "[" after element 0, expected an object'],
    [`{"timestamp":0,"a":${'['.repeat(100)}`, 't.jsonl:1: "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["'],
  ])('%j is refused with file, line and what was expected', async (text, expected) => {
    expect(await refusal(mooncake(text))).toContain(expected);
  });

  it('do not take memory for a line without end', async () => {
    let given = 0;
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      const piece = new Uint8Array(1 << 20).fill(32);
      piece[0] = 123;
      for (;;) {
        given += piece.length;
        yield piece;
      }
    };
    expect(await refusal(readTrace('t.jsonl', endless()))).toBe(
      't.jsonl:1: a line longer than 16 MiB, expected one request per line',
    );
    expect(given).toBeLessThanOrEqual(maxLineBytes + 2 * (1 << 20));
  });

  it('stop reading at the limit', async () => {
    let pulled = 0;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) yield bytes(line(pulled++ * 1000, 10, 5, [pulled]));
    };
    const traffic = await readTrace('t.jsonl', source(), { limit: 3 });
    expect(traffic.requests).toBe(3);
    // The head that the detector looks at, and no more.
    expect(pulled).toBeLessThan(headBytes / 60);
  });
});

describe('Azure traces', () => {
  it('have times to the 100 ns', async () => {
    const traffic = await azure(
      `${header}2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 18:17:04.0319601,3180,8\r\n2024-02-29T00:00:00Z,1,1\n`,
    );
    expect([...traffic.arrivalNs].slice(0, 2)).toEqual([0, 52_000_100]);
    expect(traffic).toMatchObject({ requests: 3, blockTokens: 0, uniqueBlocks: 0 });
  });

  it('know offsets, and sort', async () => {
    const traffic = await azure(`${header}2024-05-10 02:00:00+02:00,1,5\n2024-05-09 23:59:59.5+00:00,1,6\n`);
    expect([...traffic.arrivalNs]).toEqual([0, 0.5e9]);
    expect([...traffic.outputTokens]).toEqual([6, 5]);
  });

  it.each([
    ['', 't.csv: no request, expected a trace of requests'],
    [header, 't.csv:1: no request, expected one line per request'],
    [
      'a,b,c\n',
      't.csv:1: header "a,b,c" without a column of prompt tokens, expected one like TIMESTAMP,ContextTokens,GeneratedTokens',
    ],
    [`${header}2023-11-16 18:17:03,1\n`, 't.csv:2: no GeneratedTokens, expected a number'],
    [
      `${header}2023-02-29 00:00:00,1,1\n`,
      't.csv:2: TIMESTAMP is "2023-02-29 00:00:00", expected a time like',
    ],
    [
      `${header}2023-11-16 24:00:00,1,1\n`,
      't.csv:2: TIMESTAMP is "2023-11-16 24:00:00", expected a time like',
    ],
    [`${header}2023-11-16 18:17:03,-1,1\n`, 't.csv:2: ContextTokens is -1, expected an integer 1 to'],
    [`${header}2023-11-16 18:17:03,1,1,7\n`, 't.csv:2: 4 columns, expected 3, as in the header'],
    [`${header}2023-11-16 18:17:03,1,\n`, 't.csv:2: no GeneratedTokens, expected a number'],
    [
      `${header}2023-01-01 00:00:00,1,1\n2023-12-31 00:00:00,1,1\n`,
      't.csv: arrivals span 364 days, expected at most 104 days; --from and --to choose a part',
    ],
  ])('%j is refused', async (text, expected) => {
    expect(await refusal(azure(text))).toContain(expected);
  });
});

describe('columns of other spellings', () => {
  it.each([
    [
      't.jsonl',
      '{"arrivalTime": 0.5, "inputTokens": 100, "outputTokens": 12}\n{"arrivalTime": 1.5, "inputTokens": 7, "outputTokens": 2}\n',
    ],
    ['t.csv', 'Arrival-Time;ISL;OSL\n0.5;100;12\n1.5;7;2\n'],
    ['t.csv', '"ArrivalTime","PromptTokens","CompletionTokens","Model"\n0.5,100,12,a\n1.5,7,2,b\n'],
  ])('%s %j', async (name, text) => {
    const traffic = await readTrace(name, chunks(Buffer.from(text), 7));
    expect([...traffic.promptTokens]).toEqual([100, 7]);
    expect([...traffic.outputTokens]).toEqual([12, 2]);
    expect([...traffic.arrivalNs]).toEqual([0, 1e9]);
  });

  it.each([
    ['{"timestamp": 0, "inputTokens": -4, "outputTokens": 12}\n', 't:1: inputTokens is -4'],
    ['Timestamp,Request tokens,Response tokens\n5,10,0\n', 't:2: Response tokens is 0'],
    ['Timestamp,Request tokens,Response tokens\n5,2.5,1\n', 't:2: Request tokens is 2.5'],
  ])('%j: the message has the name that the file gives', async (text, expected) => {
    expect(
      await refusal(readTrace('t', chunks(Buffer.from(text), 7), { rate_rps: 1, time_unit: 's' })),
    ).toContain(expected);
  });
});

describe('times of day in JSON', () => {
  it('know zones and fractions; a string that is no time is refused', async () => {
    const line = (time: string) => `{"timestamp": "${time}", "input_length": 10, "output_length": 3}\n`;
    const text = line('2024-05-10T00:00:01+02:00') + line('2024-05-09T22:00:03.5Z');
    const traffic = await readTrace('t.jsonl', chunks(Buffer.from(text), 9));
    expect([...traffic.arrivalNs]).toEqual([0, 2.5e9]);
    expect(await refusal(readTrace('t.jsonl', chunks(Buffer.from(line('soon')), 9)))).toContain('t.jsonl:1');
  });

  it('a CSV file that names a column twice is refused', async () => {
    const text = 'timestamp,input_tokens,input_tokens,output_tokens\n0,5,7,3\n';
    expect(await refusal(readTrace('t.csv', chunks(Buffer.from(text), 9)))).toContain(
      'two columns "input_tokens"',
    );
  });
});

describe('anything at all', () => {
  const fuzz = async (data: Uint8Array, size: number): Promise<void> => {
    for (const read of [readTrace]) await refusal(read('f', chunks(data, Math.max(1, size))));
  };

  it('is read or refused, never worse: random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 50 }), fuzz),
      { numRuns: 300 },
    );
  });

  it('is read or refused, never worse: JSON of the wrong shape', async () => {
    const record = fc.record(
      {
        timestamp: fc.jsonValue(),
        input_length: fc.jsonValue(),
        output_length: fc.jsonValue(),
        hash_ids: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(record, fc.jsonValue())), (values) =>
        fuzz(bytes(values.map((v) => JSON.stringify(v)).join('\n')), 17),
      ),
      { numRuns: 300 },
    );
  });

  it('is read or refused, never worse: good files cut, and with a byte changed', async () => {
    const azureText = `${header}2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8\n`;
    for (const text of [good, azureText]) {
      const data = bytes(text);
      for (let end = 0; end <= data.length; end++) await fuzz(data.subarray(0, end), 7);
      await fc.assert(
        fc.asyncProperty(fc.nat(data.length - 1), fc.nat(255), (at, value) => {
          const changed = data.slice();
          changed[at] = value;
          return fuzz(changed, 11);
        }),
        { numRuns: 300 },
      );
    }
  });

  it('agrees with JSON.parse about what is JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (extra) => {
        const text = `{"extra": ${JSON.stringify(extra)}, "timestamp": 1, "input_length": 5, "output_length": 2}`;
        expect(await refusal(mooncake(text))).toBe('read without complaint');
      }),
    );
  });
});

const request = fc.record({
  gap: fc.integer({ min: 0, max: 5_000_000 }),
  prompt: fc.integer({ min: 1, max: 3000 }),
  output: fc.integer({ min: 1, max: 500 }),
});

const withoutSource = ({ source: _, ...traffic }: Traffic) => traffic;

it('what is written is read back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 40 }),
      fc.boolean(),
      async (requests, prefixes) => {
        let time = 0;
        let id = 100;
        const text = requests
          .map(({ gap, prompt, output }) => {
            time += gap / 1000;
            const ids = Array.from({ length: Math.ceil(prompt / 512) }, (_, i) => (i === 0 ? 3 : id++));
            const known = prefixes ? `,"hash_ids":[${ids.join()}]` : '';
            return `{"timestamp":${time},"input_length":${prompt},"output_length":${output}${known}}\n`;
          })
          .join('');
        const traffic = await readTrace('t.jsonl', chunks(bytes(text)), {
          time_unit: 'ms',
          ...(prefixes ? { block_tokens: 512 } : {}),
        });
        const again = await readTrace('t.jsonl', chunks(bytes([...writeMooncake(traffic)].join(''))), {
          ...(prefixes ? { block_tokens: 512 } : {}),
        });
        expect(withoutSource(again)).toEqual(withoutSource(traffic));
        const csv = await azure([...writeAzure(traffic)].join(''));
        const rounded = traffic.arrivalNs.map((t) => Math.round(t / 100) * 100);
        expect(csv.arrivalNs).toEqual(rounded.map((t) => t - (rounded[0] ?? 0)));
        expect(csv.promptTokens).toEqual(traffic.promptTokens);
      },
    ),
    { numRuns: 100 },
  );
});

it.each([0, 0.001, 0.9, 1, 8.3, 1500.7])(
  'a written trace is read without a question, %f ms apart',
  async (gapMs) => {
    const text = Array.from(
      { length: 20 },
      (_, i) => `{"timestamp":${i * gapMs},"input_length":9,"output_length":3}`,
    );
    const traffic = await readTrace('t.jsonl', chunks(bytes(text.join('\n'))), { time_unit: 'ms' });
    const again = await readTrace('t.jsonl', chunks(bytes([...writeMooncake(traffic)].join(''))));
    expect(again.arrivalNs).toEqual(traffic.arrivalNs);
  },
);

describe('an object around the requests', () => {
  const rows =
    '{"timestamp": 0, "input_length": 5, "output_length": 2}, {"timestamp": 9, "input_length": 6, "output_length": 3}';
  const read = (text: string) => readTrace('t.json', chunks(bytes(text)));
  it.each([
    `{"requests": [${rows}]}`,
    `{\n  "metadata": {"model": "m", "n": 2},\n "version": 1.5, "tags": ["a", "b"],\n "data" :\n[${rows}], "more": {"x": [1]}}\n`,
    `\ufeff{"name": "a \\"quoted\\" one", "records": [ ${rows} ]}`,
  ])('is passed over: %s', async (text) => {
    const traffic = await read(text);
    expect([...traffic.promptTokens]).toEqual([5, 6]);
    expect([...traffic.arrivalNs]).toEqual([0, 9e6]);
  });

  it('is read to its end: a file that is cut off is refused', async () => {
    await expect(read(`{"requests": [${rows}`)).rejects.toThrow('the file is cut off');
    await expect(read(`{"requests": [${rows.slice(0, -4)}`)).rejects.toThrow('inside element 2');
  });

  it('is not looked for in rows of their own', async () => {
    const line = '{"timestamp": 0, "input_length": 5, "output_length": 2, "data": [{"a": 1}]}';
    expect((await read(`${line}\n${line}\n`)).requests).toBe(2);
    const before = '{"data": [{"a": 1}], "timestamp": 0, "input_length": 5, "output_length": 2}';
    expect((await read(`${before}\n${before}\n`)).requests).toBe(2);
  });
});

it('slices are traffic of their own, and speed divides the gaps', async () => {
  const traffic = await mooncake(good + line(2000, 600, 1, [7, 11]) + line(5000, 600, 1, [7, 12]));
  const part = slice(traffic, 2, 4);
  expect(part).toMatchObject({ requests: 2, uniqueBlocks: 3 });
  expect([...part.arrivalNs]).toEqual([0, 3e9]);
  expect([...part.blockIds]).toEqual([0, 1, 0, 2]);
  expect(totals(slice(traffic, 3, 99)).requests).toBe(1);
  expect(slice(traffic, 9, 9).requests).toBe(0);
  expect([...speedUp(traffic, 2).arrivalNs]).toEqual([0, 0.75e9, 1e9, 2.5e9]);
});

it('the dialect is known by the names of keys and columns', () => {
  expect(detectTrace('x', bytes(good)).dialect.id).toBe('mooncake');
  expect(detectTrace('x', bytes(`\ufeff\n${header}`)).dialect.id).toBe('azure');
  expect(() => detectTrace('x', bytes('hello\n'))).toThrow(
    'x:1: another kind of text, expected a trace of requests',
  );
});

const data = process.env['DYNO_DATA'] ?? '';
const traces = join(data, 'traces');
describe.skipIf(data === '' || !existsSync(traces))('the public traces (skipped without DYNO_DATA)', () => {
  const open = (path: string) => createReadStream(join(traces, path));

  it.each([
    ['mooncake-conversation.jsonl', 'mooncake', 12_031, 144_793_823, 4_122_048, 288_500, 182_790, 3_536_999],
    ['mooncake-synthetic.jsonl', 'mooncake', 3_993, 61_194_628, 595_432, 121_877, 43_924, 1_022_025],
    ['azure-2023-conversation.csv', 'azure', 19_366, 22_361_870, 4_088_665, 0, 0, 3_501_721.937],
    ['azure-2023-code.csv', 'azure', 8_819, 18_059_974, 245_896, 0, 0, 3_435_948.056],
  ] as const)(
    '%s',
    async (path, format, requests, promptTokens, outputTokens, blockRefs, uniqueBlocks, ms) => {
      let read = 0;
      const traffic = await readTraffic({ kind: 'trace', path, format, speedup: 1 }, open, (n) => {
        read = n;
      });
      expect(totals(traffic)).toEqual({
        requests,
        promptTokens,
        outputTokens,
        blockRefs,
        uniqueBlocks,
        durationNs: ms * 1e6,
      });
      expect(read).toBeGreaterThan(300_000);
    },
  );
});
