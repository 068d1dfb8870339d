import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeManifest } from '../host/store/manifest.ts';
import { sealByHand, writeTables } from '../host/testing/handMadeBundle.ts';
import { manifestOf } from '../host/testing/leftBehind.ts';
import { compareMeasured } from './measuredComparison.ts';
import { paintFor, type Terminal } from './terminal.ts';

// A run of two requests: TTFT 110 and 180 ms where 100 and 200 were measured, TPOT 10 ms in both.
let folder = '';
const measured = (prompt: number) =>
  [
    { input_toks: prompt, output_toks: 11, queued_ts: 5, first_token_ts: 5.1, last_token_ts: 5.2 },
    { input_toks: 30, output_toks: 11, queued_ts: 6, first_token_ts: 6.2, last_token_ts: 6.3 },
  ]
    .map((row) => JSON.stringify(row))
    .join('\n');
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-measured-'));
  await writeManifest(folder, manifestOf('run', { status: 'done' }));
  writeFileSync(join(folder, 'same.jsonl'), measured(20));
  writeFileSync(join(folder, 'other.jsonl'), measured(21));
  await writeTables(folder, [
    {
      table: 'requests',
      columns: 'iteration, request, arrival_ns, prompt_tokens, ttft_ms, tpot_ms, e2e_ms',
      rows: '(0, 1, 1000000000, 30, 180.0, 10.0, 280.0), (0, 0, 0, 20, 110.0, 10.0, 210.0)',
    },
  ]);
  await sealByHand(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const said: string[] = [];
const terminal: Terminal = {
  print: (text) => said.push(text),
  json: (document) => said.push(JSON.stringify(document)),
  note: () => {},
  paint: paintFor({}, {}),
};

test('errors per statistic and per request, requests in order of arrival', async () => {
  expect(await compareMeasured(folder, join(folder, 'same.jsonl'), false, terminal)).toBe(0);
  expect(said.at(-1)).toMatch(/TTFT mean +145 ms +150 ms +−3\.3 %/);
  expect(said.at(-1)).toContain('Per request, median of |error| over 2: TTFT 10.0 %, TPOT 0.0 %');
});

test('other requests are refused with the first that differs', async () => {
  await expect(compareMeasured(folder, join(folder, 'other.jsonl'), false, terminal)).rejects.toThrow(
    /request 1 in order of arrival has 21 prompt tokens, in the run 20/,
  );
});
