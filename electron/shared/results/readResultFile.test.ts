import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { InputError } from '../../../workloads/run/inputError.ts';
import { looksLikeResultText, readResultFile } from './readResultFile.ts';

const folder = mkdtempSync(join(tmpdir(), 'dyno-results-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function written(bytes: string | Uint8Array, end = '.json'): string {
  const path = join(folder, `f${files++}${end}`);
  writeFileSync(path, bytes);
  return path;
}

const row = (n: number) =>
  `{"metadata":{"session_num":${n},"request_start_ns":${1_700_000_000 + n}000000000,"request_end_ns":${1_700_000_001 + n}000000000,"benchmark_phase":"profiling"},"metrics":{"time_to_first_token":{"value":5,"unit":"ms"}},"error":null}`;
const lines = Array.from({ length: 40 }, (_, n) => row(n)).join('\n');
const vllm =
  '{"model_id": "m", "total_input_tokens": 4, "request_throughput": 1, "input_lens": [4], "output_lens": [2], "ttfts": [0.1], "itls": [[0.2]], "errors": [""], "mean_itl_ms": NaN}';

describe('reading', () => {
  test('lines with a byte order mark and CRLF, and a document over several lines', async () => {
    const [aiperf] = await readResultFile(written(`\ufeff${lines.replaceAll('\n', '\r\n')}\r\n`, '.jsonl'));
    expect(aiperf?.requests).toHaveLength(40);
    const [bench] = await readResultFile(written(vllm.replaceAll(', ', ',\n  ')));
    expect(bench?.requests).toMatchObject([{ ttftMs: 100, promptTokens: 4 }]);
    // Python's NaN is an absent value.
    expect(bench?.figures['mean_itl_ms']).toBeUndefined();
  });

  test('the aggregates beside an AIPerf file bring its model', async () => {
    const path = written(lines, '.jsonl');
    writeFileSync(
      path.replace(/\.jsonl$/, '_aiperf.json'),
      '{"aiperf_version": "0.12", "input_config": {"endpoint": {"model_names": ["m"]}}}',
    );
    expect((await readResultFile(path))[0]).toMatchObject({ model: 'm', version: '0.12' });
  });

  test.each([
    ['', 'the file is empty'],
    ['hello', 'not JSON (is the file cut off?)'],
    [`${row(0)}\n{"broken`, ':2: not JSON, expected an object'],
    ['{"a": 1}', 'no result of a load generator that is known here'],
    [`${'['.repeat(50_000)}`, 'not JSON'],
    [`${'['.repeat(20_000)}${']'.repeat(20_000)}`, ''],
  ])('%#: one line says what is wrong', async (text, message) => {
    const thrown: unknown = await readResultFile(written(text)).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(InputError);
    expect(String(thrown)).toContain(message);
    expect(String(thrown).split('\n')).toHaveLength(1);
  });

  test('cut off or damaged anywhere: a result or one line', async () => {
    for (const whole of [lines.slice(0, 700), vllm]) {
      const cases = fc.tuple(fc.nat(whole.length), fc.nat(whole.length - 1), fc.nat(255), fc.boolean());
      await fc.assert(
        fc.asyncProperty(cases, async ([cut, at, byte, isCut]) => {
          const bytes = Buffer.from(isCut ? whole.slice(0, cut) : whole);
          if (bytes.length === 0) return;
          if (!isCut) bytes[at] = byte;
          const path = written(bytes);
          try {
            await readResultFile(path);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(InputError);
          } finally {
            rmSync(path, { force: true });
          }
        }),
        { numRuns: 150 },
      );
    }
  });
});

test('a look at the beginning is enough, and traces are not taken for results', () => {
  expect([lines, vllm, vllm.replaceAll(', ', ',\n').slice(0, 90)].map(looksLikeResultText)).toEqual([
    ...[true, true, true],
  ]);
  const trace = '{"timestamp": 0, "input_length": 5, "output_length": 3, "hash_ids": [1]}\n';
  expect(['', 'a,b\n1,2', trace, '{"nodes": [', '<html>'].map(looksLikeResultText)).toEqual([
    ...[false, false, false, false, false],
  ]);
});
