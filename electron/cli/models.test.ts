import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { bundleEntry } from '../host/testing/bundleEntry.ts';

const cases = join(process.env['DYNO_DATA'] ?? '', 'cases/models');
const hasCases = existsSync(join(cases, 'Qwen3-32B/config.json'));
// Each test starts processes.
vi.setConfig({ testTimeout: 60_000 });

let cli: string;
let runner: string;
let home: string;

beforeAll(async () => {
  cli = await bundleEntry('electron/cli/main.ts', 'cli.mjs');
  runner = await bundleEntry('electron/runner/main.ts', 'runner.mjs');
  home = mkdtempSync(join(tmpdir(), 'dyno-models-'));
}, 120_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

function dyno(...args: string[]) {
  const env = { ...process.env, DYNO_HOME: home, DYNO_RUNNER: runner, NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { env, encoding: 'utf8' });
  return { status, stdout, stderr };
}
const written = (name: string, content: string): string => {
  mkdirSync(join(home, name), { recursive: true });
  const file = join(home, name, 'config.json');
  writeFileSync(file, content);
  return file;
};
const tiny = {
  model_type: 'qwen3',
  hidden_size: 1024,
  intermediate_size: 3072,
  num_hidden_layers: 4,
  num_attention_heads: 8,
  num_key_value_heads: 2,
  head_dim: 128,
  vocab_size: 32000,
};

describe.skipIf(!hasCases)('published configurations', () => {
  test.each([
    ['Qwen3-32B', 'GQA, 64 query and 8 KV heads', 262_144, 32_762_123_264, 2],
    ['DeepSeek-V3', 'MLA, 512 + 64 values per token', 70_272, 671_026_419_200, 2],
    [
      'gpt-oss-20b',
      'GQA, 64 query and 8 KV heads; 12 of 24 layers see 128 tokens',
      49_152,
      20_914_757_184,
      0.53125,
    ],
  ])('%s', (name, attention, kv, parameters, bytes) => {
    const { status, stdout } = dyno('models', join(cases, name), '--json');
    expect(status).toBe(0);
    const model = JSON.parse(stdout);
    expect(model).toMatchObject({ attention, kv_bytes_per_token: kv, bytesPerWeight: bytes });
    // The gpt-oss case file leaves biases away.
    expect(Math.abs(model.parameters / parameters - 1)).toBeLessThan(0.002);
  });

  test('a roofline from a file', () => {
    const { status, stdout } = dyno(
      'roofline',
      '--model',
      join(cases, 'Qwen3-32B/config.json'),
      '--gpu',
      'h200',
    );
    expect(status).toBe(0);
    expect(stdout).toContain('Qwen3-32B (config.json) on 1 × H200');
  });
});

test('the built-in models with their sources', () => {
  const { status, stdout } = dyno('models');
  expect(status).toBe(0);
  for (const part of [
    'deepseek-v3',
    'config.json of deepseek-ai/DeepSeek-V3',
    '70272 B',
    'gpt-oss-20b: all weights',
  ])
    expect(stdout).toContain(part);
});

test('a run with a model from a file: its spec holds the shape, and runs again without the file', () => {
  const file = written('Tiny', JSON.stringify(tiny));
  const set = ['--set', 'traffic=open', '--set', 'duration_s=5', '--set', 'instances=1'];
  const args = ['run', 'ch17:prefill_decode_disagg', '--model', file, '--variant', 'baseline', ...set];
  const printed = dyno(...args, '--print-spec');
  expect(printed.stderr).toBe('');
  const spec = JSON.parse(printed.stdout);
  expect(spec.cluster.model).toBe('file:Tiny');
  expect(spec.models).toMatchObject([{ id: 'file:Tiny', layers: 4, kvHeads: 2 }]);
  rmSync(file);
  const saved = join(home, 'spec.json');
  writeFileSync(saved, printed.stdout);
  const { status, stdout, stderr } = dyno('run', '--spec', saved, '--json', '--no-keep');
  expect(stderr).not.toContain('dyno:');
  expect(status).toBe(0);
  expect(JSON.parse(stdout).summary.requests.completed).toBeGreaterThan(0);
});

test.each([
  ['an unknown name', () => 'qwen3-33b', /no such model; did you mean "qwen3-32b"/],
  [
    'a missing file',
    () => join(home, 'none/config.json'),
    /no such file, expected a Hugging Face config.json/,
  ],
  ['a folder without one', () => home, /config.json: no such file/],
  ['an empty file', () => written('empty', ''), /the file is empty/],
  ['no JSON', () => written('torn', '{"hidden_size": 4'), /it is not JSON from character \d+ on, expected/],
  [
    'deep nesting',
    () => written('deep', '['.repeat(1e6) + ']'.repeat(1e6)),
    /config.json: .*expected a Hugging Face/,
  ],
  [
    'wrong types',
    () => written('wrong', '{"hidden_size": [[]]}'),
    /hidden_size: a list of 1, expected a whole number/,
  ],
  ['another kind of network', () => written('bert', '{"model_type": "bert"}'), /bert: it is no decoder-only/],
])('%s: one line, exit status 2', (_, file, expected) => {
  const { status, stderr } = dyno('roofline', '--model', file());
  expect(stderr).toMatch(expected);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(status).toBe(2);
});
