import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readTrace } from '../../traffic/readTraffic.ts';
import type { TraceChoice } from '../../traffic/traces/intake.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { runSpecOn, tinySpec } from './tinyRun.ts';

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}
const read = (rows: readonly object[], choice: TraceChoice = {}): Promise<Traffic> =>
  readTrace('t.jsonl', bytesOf(rows.map((row) => JSON.stringify(row)).join('\n')), choice);

/** Arrival and end of each request, ns, by its index. */
function timesOf(traffic: Traffic, instances: number, router = 'round_robin') {
  const spec = tinySpec({ instances: Array.from({ length: instances }, () => ({ blocks: 10_000 })), router });
  const { summary, sink } = runSpecOn(spec, traffic);
  const rows = sink.table('requests').sort((a, b) => Number(a['request']) - Number(b['request']));
  return {
    summary,
    times: rows.map((row) => ({ arrival: Number(row['arrival_ns']), end: Number(row['finish_ns']) })),
  };
}

it('the next turn arrives when the answer has ended and the think time has passed', async () => {
  const traffic = await read([
    { session_id: 'a', timestamp: 0, input_length: 100, output_length: 3 },
    { session_id: 'a', delay: 1500, input_length: 20, output_length: 2 },
    { session_id: 'b', timestamp: 50, input_length: 10, output_length: 1 },
  ]);
  // The new turn's 20 tokens follow the conversation so far: 100 + 3.
  expect([...traffic.promptTokens]).toEqual([100, 10, 123]);
  const { times, summary } = timesOf(traffic, 2);
  expect(times[2]?.arrival).toBe((times[0]?.end ?? 0) + 1.5e9);
  expect(summary.requests).toMatchObject({ arrived: 3, completed: 3 });
});

it('whatever the load: every later turn follows the end of the one before by its think time', async () => {
  const row = fc.record({
    session: fc.integer({ min: 0, max: 5 }),
    gap: fc.integer({ min: 0, max: 2000 }),
    input: fc.integer({ min: 1, max: 60 }),
    output: fc.integer({ min: 1, max: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 2, maxLength: 40 }),
      fc.integer({ min: 1, max: 3 }),
      async (rows, n) => {
        const seen = new Set<number>();
        const text = rows.map(({ session, gap, input, output }, i) => {
          const begins = !seen.has(session);
          seen.add(session);
          const time = begins ? { timestamp: 1000 * i + gap } : { delay: gap };
          return { session_id: `s${session}`, ...time, input_length: input, output_length: output };
        });
        const traffic = await read(text, { time_unit: 'ms' });
        const { times, summary } = timesOf(traffic, n, 'least_outstanding');
        expect(summary.requests.completed).toBe(rows.length);
        const { turns } = traffic;
        for (let r = 0; r < rows.length; r++) {
          const before = turns?.previous[r] ?? -1;
          if (before < 0) expect(times[r]?.arrival).toBe(traffic.arrivalNs[r]);
          else expect(times[r]?.arrival).toBe((times[before]?.end ?? 0) + (turns?.thinkNs[r] ?? 0));
        }
      },
    ),
    { numRuns: 60 },
  );
});
