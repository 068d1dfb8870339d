// `dyno serve` and `dyno servers`: a real server started, asked, and ended with its process group.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findLlamaServer } from '../scripts/llama/llamaServer.mjs';
import { out, root } from '../scripts/project.mjs';
import { whyNoLlama } from './support/llama/llamaPeer.ts';
import { modelFile, tinyModel } from './support/llama/tinyModel.ts';
import { expect, test } from './support/test.ts';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('llama-server: started, ready, asked, ended', async ({ home, cli }) => {
  const why = whyNoLlama();
  test.skip(why !== undefined, why);
  const program = findLlamaServer()?.executable ?? '';
  const child = spawn(
    process.execPath,
    [
      ...[join(out, 'cli.mjs'), 'serve', 'llama-server', '--model', modelFile(tinyModel), '--json'],
      ...['--program', program, '--slots', '2', '--context', '2048', '--', '-t', '1', '--no-warmup'],
    ],
    { cwd: root, env: { ...process.env, DYNO_HOME: home }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  let document = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    document += text;
  });
  await expect.poll(() => document, { timeout: 30_000 }).toContain('ready_ms');
  const { url, pid, log } = JSON.parse(document);
  expect(existsSync(log)).toBe(true);
  const asked = await cli(['servers', url]);
  expect(asked.status).toBe(0);
  expect(asked.stdout).toContain('llamacpp · ');
  expect(asked.stdout).toMatch(/context 2048 · 2 slots · KV cache 4096 tokens/);
  expect(asked.stdout).toMatch(/cached tokens of each prompt\s+yes/);
  child.kill('SIGINT');
  expect(await closed).toBe(0);
  expect(isAlive(pid)).toBe(false);
});

test('what cannot be started is one line: no program, no model, a program that ends at once', async ({
  cli,
}) => {
  const vllm = await cli(['serve', 'vllm', '--model', 'm'], { env: { PATH: '/nonexistent' } });
  expect([vllm.status, vllm.stderr]).toEqual([
    3,
    expect.stringContaining('dyno: vLLM: vllm is not on the PATH'),
  ]);
  const model = await cli(['serve', 'llama-server', '--model', '/no/such.gguf']);
  expect([model.status, model.stderr]).toEqual([2, expect.stringContaining('no such file, expected a GGUF')]);
  const early = await cli(['serve', 'vllm', '--model', 'm', '--program', '/bin/false']);
  expect([early.status, early.stderr]).toEqual([
    ...[1, expect.stringContaining('vLLM: it ended with status 1 before it was ready')],
  ]);
  const nothing = await cli(['servers', '127.0.0.1:1']);
  expect([nothing.status, nothing.stdout]).toEqual([1, expect.stringContaining('connection refused')]);
});
