// `dyno route`: a client that is not Dyno's, Dyno's router, several servers; the requests that passed become a run.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { out, root } from '../scripts/project.mjs';
import { startLlama, whyNoLlama } from './support/llama/llamaPeer.ts';
import { startScriptedServer } from './support/scriptedServer/scriptedServer.ts';
import { expect, test } from './support/test.ts';

interface Answer {
  readonly status: number;
  readonly server: string;
  readonly text: string;
}

function post(url: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(
      `${url}/v1/completions`,
      { method: 'POST', agent: false, headers: { 'content-type': 'application/json', ...headers } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        const server = String(response.headers['x-dyno-server'] ?? '');
        response.on('end', () => resolve({ status: response.statusCode ?? 0, server, text }));
        response.on('error', reject);
      },
    );
    call.on('error', reject);
    call.end(JSON.stringify(body));
  });
}

interface Route {
  readonly url: string;
  readonly token: string;
  readonly words: () => string;
  /** Ctrl-C; the document that it prints. */
  end(): Promise<{ run: string; folder: string; requests: number; completed: number; failed: number }>;
}

async function startRoute(home: string, args: readonly string[]): Promise<Route> {
  const child: ChildProcess = spawn(
    process.execPath,
    [join(out, 'cli.mjs'), 'route', '--listen', '127.0.0.1:0', '--json', ...args],
    { cwd: root, env: { ...process.env, DYNO_HOME: home }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let words = '';
  let document = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words += text;
  });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    document += text;
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await expect.poll(() => words, { timeout: 20_000 }).toMatch(/listening on http/);
  if (!args.includes('--no-token')) await expect.poll(() => words).toMatch(/token: /);
  return {
    url: /listening on (\S+)/.exec(words)?.[1] ?? '',
    token: /token: (\S+)/.exec(words)?.[1] ?? '',
    words: () => words,
    async end() {
      child.kill('SIGINT');
      await closed;
      return JSON.parse(document);
    },
  };
}

/** Prompts of two families: each shares its first 64 tokens. */
const promptOf = (family: number, n: number) =>
  Array.from({ length: 80 }, (_, i) => (i < 64 ? 1000 * (family + 1) + i : 10_000 + 97 * n + i));

const usage = { stream_options: { include_usage: true } };

test('prefixes stay together, the token is asked for, and what passed is a run that replays', async ({
  home,
  cli,
}) => {
  const servers = [await startScriptedServer(), await startScriptedServer()];
  const names = servers.flatMap(({ url }, i) => ['--server', `${url},name=s${i}`]);
  const route = await startRoute(home, ['--policy', 'longest_prefix', ...names]);
  expect((await post(route.url, { prompt: [1] })).status).toBe(401);
  const key = { authorization: `Bearer ${route.token}` };
  const placed: string[][] = [[], []];
  for (let n = 0; n < 6; n += 1)
    for (const family of [0, 1]) {
      const body = { prompt: promptOf(family, n), max_tokens: 3, stream: true, ...usage };
      const { status, server, text } = await post(route.url, body, key);
      expect(status).toBe(200);
      expect(text).toContain('data: [DONE]');
      placed[family]?.push(server);
    }
  for (const family of placed) expect(new Set(family).size).toBe(1);
  const cached = servers.reduce(
    (sum, { served }) => sum + served.filter((r) => r.cachedTokens === 64).length,
    0,
  );
  expect(cached).toBe(10);
  const ended = await route.end();
  expect(ended).toMatchObject({ requests: 12, completed: 12, failed: 0 });
  const summary = JSON.parse(readFileSync(join(ended.folder, 'summary.json'), 'utf8'));
  expect(summary).toMatchObject({
    requests: { arrived: 12, completed: 12 },
    metrics: { ttft_ms: { n: 12 } },
  });
  expect(summary.routing.hit_rate).toBeCloseTo((10 * 64) / (12 * 80), 6);
  const mispredicted = summary.routing.servers.map(
    (server: { mispredicted?: number }) => server.mispredicted ?? 0,
  );
  expect(mispredicted).toEqual([0, 0]);
  // The same requests in the simulator.
  const trace = join(ended.folder, 'sent.jsonl');
  const replay = await cli(['run', 'ch17:dynamic_routing', '--trace', trace, '--json']);
  expect(replay.stderr).not.toContain('dyno:');
  expect(replay.status).toBe(0);
  for (const server of servers) await server.close();
});

test('failures pass through and are kept apart; a dead server is left out until it is back', async ({
  home,
}) => {
  const fault = { kind: 'status', status: 429, retryAfter: 3 } as const;
  const good = await startScriptedServer();
  const odd = await startScriptedServer({
    fault: ({ index }) =>
      index === 0 ? fault : index === 1 ? { kind: 'error_event', after: 1, done: true } : undefined,
  });
  const route = await startRoute(home, [
    ...['--policy', 'round_robin', '--no-token'],
    ...['--server', `${odd.url},name=odd`, '--server', `${good.url},name=good`],
  ]);
  const body = { prompt: [1, 2, 3], max_tokens: 2, stream: true };
  const answers: Answer[] = [];
  for (let n = 0; n < 4; n += 1) answers.push(await post(route.url, body));
  expect(answers.map(({ status, server }) => [status, server])).toEqual([
    ...[
      [429, 'odd'],
      [200, 'good'],
      [200, 'odd'],
      [200, 'good'],
    ],
  ]);
  await odd.kill();
  for (let n = 0; n < 4; n += 1) expect((await post(route.url, body)).server).toBe('good');
  expect(route.words()).toContain('odd is down: nothing listens there (connection refused)');
  const again = await startScriptedServer({ port: odd.port });
  await expect.poll(() => route.words(), { timeout: 10_000 }).toContain('odd is back');
  await expect.poll(async () => (await post(route.url, body)).server).toBe('odd');
  const ended = await route.end();
  expect(ended.failed).toBe(1);
  for (const server of [good, again]) await server.close();
});

test('two llama.cpp servers behind one address; one is killed in the middle', async ({ home }) => {
  const why = whyNoLlama();
  test.skip(why !== undefined, why);
  const peers = [await startLlama({ slots: 2 }), await startLlama({ slots: 2 })];
  const names = peers.flatMap(({ url }, i) => ['--server', `${url},name=llama${i}`]);
  const route = await startRoute(home, ['--policy', 'longest_prefix', '--no-token', ...names]);
  const ask = (family: number, n: number) =>
    post(route.url, {
      ...{ prompt: promptOf(0, n).map((id, i) => 259 + ((id + 31 * family * (i + 1)) % 253)) },
      ...{ max_tokens: 8, stream: true, ignore_eos: true, ...usage },
    });
  const placed: string[][] = [[], []];
  for (let n = 0; n < 4; n += 1)
    for (const family of [0, 1]) {
      const { text, server } = await ask(family, n);
      expect(text.match(/ w\d{3}/g)).toHaveLength(8);
      if (n > 0) expect(Number(/"cached_tokens":(\d+)/.exec(text)?.[1])).toBeGreaterThan(50);
      placed[family]?.push(server);
    }
  for (const family of placed) expect(new Set(family).size).toBe(1);
  const victim = placed[0]?.[0] === 'llama0' ? 0 : 1;
  await peers[victim]?.kill();
  expect((await ask(0, 9)).server).toBe(`llama${1 - victim}`);
  const ended = await route.end();
  expect(ended).toMatchObject({ requests: 9, completed: 9 });
  await peers[1 - victim]?.close();
});
