// Results of other load generators: opened, compared, calibrated to, and written again.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, sharedData, test } from './support/test.ts';

/** A result of vllm bench serve with details: 40 requests, 0.1 s apart. */
function vllmFile(folder: string): string {
  const n = 40;
  const list = <T>(of: (i: number) => T) => Array.from({ length: n }, (_, i) => of(i));
  const path = join(folder, 'vllm.json');
  writeFileSync(
    path,
    JSON.stringify({
      ...{ date: '20260301-120000', backend: 'vllm', model_id: 'm', request_rate: 10, duration: 5 },
      ...{ completed: n, total_input_tokens: 100 * n, total_output_tokens: 20 * n, request_throughput: 8 },
      ...{ input_lens: list(() => 100), output_lens: list(() => 20), errors: list(() => '') },
      ttfts: list((i) => 0.05 + 0.001 * i),
      itls: list(() => Array.from({ length: 19 }, () => 0.01)),
      start_times: list((i) => 1000 + 0.1 * i),
    }),
  );
  return path;
}

test('a result is a run: exported for each tool, read back the same', async ({ home, cli }) => {
  // Six starts of the command line.
  test.setTimeout(180_000);
  const imported = await cli(['import', vllmFile(home), '--json']);
  expect(imported.status).toBe(0);
  const [{ run, requests, unknown }] = JSON.parse(imported.stdout);
  expect(requests).toBe(40);
  expect(unknown).toContain('finish reasons');
  const out = join(home, 'out');
  for (const [format, path] of [
    ['vllm', `${out}.json`],
    ['aiperf', out],
    ['mooncake', `${out}.jsonl`],
  ] as const)
    expect((await cli(['export', run, '--format', format, '-o', path])).status).toBe(0);
  expect(JSON.parse(readFileSync(`${out}.json`, 'utf8'))).toMatchObject({
    ...{ completed: 40, total_output_tokens: 800, model_id: 'm' },
    median_ttft_ms: expect.closeTo(69.5, 6),
  });
  const again = await cli(['import', join(out, 'profile_export.jsonl'), `${out}.json`, '--json']);
  const back: { run: string; format: string; requests: number }[] = JSON.parse(again.stdout);
  expect(back.map(({ format, requests: count }) => [format, count])).toEqual([
    ['aiperf-records', 40],
    ['vllm-bench', 40],
  ]);
  const compared = await cli(['compare', run, back[0]?.run ?? '', '--json']);
  expect(compared.status).toBe(0);
  const rows: { metric: string; ratio?: number }[] = JSON.parse(compared.stdout).rows;
  const ratios = rows.filter(({ ratio }) => ratio !== undefined).map(({ ratio }) => ratio ?? Number.NaN);
  expect(ratios.length).toBeGreaterThan(5);
  for (const ratio of ratios) expect(ratio).toBeCloseTo(1, 3);
});

test('the shared cases open as measured runs and a calibration takes them', async ({ cli }) => {
  const bench = sharedData('cases/results/vllm-bench-serve.json');
  const records = sharedData('cases/results/profile_export.jsonl');
  test.skip(bench === undefined || records === undefined, 'the shared data folder is not here');
  const imported = await cli(['import', bench ?? '', records ?? '', '--json']);
  const runs: { run: string; requests: number }[] = JSON.parse(imported.stdout);
  expect(runs.map(({ requests }) => requests)).toEqual([3, 8]);
  const card = ['--gpu', 'h100-sxm', '--model', 'llama-3.1-8b', '--kv-blocks', '20000'];
  for (const source of [
    ['--requests', bench ?? ''],
    ['--run', runs[1]?.run ?? ''],
  ]) {
    const fitted = await cli(['calibrate', ...source, ...card, '--json']);
    // A handful of requests fits badly, and that is said; the file itself is taken.
    expect(fitted.stderr).not.toContain('dyno:');
    expect(JSON.parse(fitted.stdout).cost.kind).toBe('roofline');
  }
});
