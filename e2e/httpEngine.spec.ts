// Engine http through the command line: the router lab over two servers, scripted ones and llama.cpp's own; what goes wrong
// is one line and the run is kept.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import type { Summary } from '../workloads/run/summary.ts';
import { runCli } from './support/cli.ts';
import { startLlama, whyNoLlama } from './support/llama/llamaPeer.ts';
import { type ServerScript, startScriptedServer } from './support/scriptedServer/scriptedServer.ts';

const target = 'labs/dynamic_router:dynamic_router';
const home = mkdtempSync(join(tmpdir(), 'dyno-http-'));
test.afterAll(() => rmSync(home, { recursive: true, force: true }));

const small = {
  traffic: 'open',
  rate_rps: 20,
  duration_s: 3,
  prompt_median: 120,
  output_median: 12,
};
const sets = (values: Readonly<Record<string, string | number>>): string[] =>
  Object.entries(values).flatMap(([name, value]) => ['--set', `${name}=${value}`]);

interface RunJson {
  readonly summary: Summary;
}

const dyno = (...args: string[]) => runCli(args, { home, timeoutMs: 120_000 });

async function measured(urls: readonly string[], ...more: string[]): Promise<Summary> {
  const servers = urls.flatMap((url) => ['--server', url]);
  const got = await dyno(
    'run',
    target,
    '--engine',
    'http',
    ...servers,
    ...sets(small),
    '--json',
    '--no-keep',
    ...more,
  );
  expect(got.status, got.stderr).toBe(0);
  return (JSON.parse(got.stdout) as RunJson).summary;
}

const two = async (script: Partial<ServerScript> = {}) => {
  const servers = [await startScriptedServer(script), await startScriptedServer(script)];
  return {
    servers,
    urls: servers.map(({ url }) => url),
    close: () => Promise.all(servers.map((s) => s.close())),
  };
};

test.describe.configure({ timeout: 240_000 });

test('the router lab over two scripted servers: tokens, prefixes and times as the servers saw them', async () => {
  const { servers, urls, close } = await two({ cost: { itlMs: 10 }, perRequestMetrics: true });
  const summary = await measured(urls);
  const { requests, client, kv, metrics } = summary;
  expect(summary.simulated).toBe(false);
  expect(requests.completed).toBe(requests.arrived);
  expect(requests.arrived).toBeGreaterThan(30);
  expect(client).toMatchObject({
    receiver: 'native',
    stamps: 'kernel',
    length_mismatches: 0,
    prompt_mismatches: 0,
  });
  for (const server of client?.servers ?? [])
    expect(server).toMatchObject({
      dialect: 'vllm',
      prompts: 'token ids',
      token_rule: 'ids',
      cold_cache: 'cache_salt',
    });
  // Equal blocks are equal ids: the servers' own caches found them.
  expect(kv.hit_rate).toBeGreaterThan(0.05);
  // The server plans its tokens 10 ms apart; a busy machine writes some of them late and together.
  expect(metrics.itl_ms?.mean).toBeGreaterThan(2);
  expect(metrics.itl_ms?.mean).toBeLessThan(40);
  expect(client?.self_test?.ttft_error_p99_ms).toBeGreaterThan(0);
  expect(client?.server_ttft_ms?.n).toBe(requests.completed);
  // Both served, and every request carried its salt and its id.
  const asks = servers
    .flatMap((s) => s.served.map(({ ask }) => ask))
    .filter(({ body }) => body['cache_salt'] !== undefined);
  expect(asks.length).toBeGreaterThanOrEqual(requests.arrived);
  for (const server of servers) expect(server.served.length).toBeGreaterThan(requests.arrived / 6);
  expect(new Set(asks.map(({ http }) => http.headers.get('x-request-id'))).size).toBe(asks.length);
  await close();
});

test('A/B on servers takes turns, replicate by replicate, and each begins with a cold cache', async () => {
  const { servers, urls, close } = await two({ cost: { itlMs: 2 } });
  const got = await dyno(
    ...['bench', target, '--engine', 'http', ...urls.flatMap((url) => ['--server', url])],
    ...sets({ traffic: 'closed', clients: 4, requests_per_client: 5, ramp_s: 0, think_s: 0 }),
    ...sets({ prompt_median: 100, output_median: 8 }),
    ...['--iterations', '3', '--json', '--no-keep'],
  );
  expect(got.status, got.stderr).toBe(0);
  // A request's id names its run by the salt, and its replicate; those of the probe and the profile have no client.
  const sent = servers
    .flatMap(({ served }) => served)
    .filter(({ ask }) => ask.http.headers.has('x-session-affinity'))
    .sort((a, b) => a.ask.http.receivedMs - b.ask.http.receivedMs);
  const blocks: { readonly run: string; readonly replicate: number; endMs: number; n: number }[] = [];
  for (const { ask, times } of sent) {
    const [, run = '', replicate = ''] = (ask.requestId ?? '').split('-');
    const last = blocks.at(-1);
    if (last?.run === run && last.replicate === Number(replicate)) {
      last.endMs = Math.max(last.endMs, times.lastMs);
      last.n++;
      continue;
    }
    // Nothing of the one before is under way.
    if (last !== undefined) expect(ask.http.receivedMs).toBeGreaterThan(last.endMs);
    blocks.push({ run, replicate: Number(replicate), endMs: times.lastMs, n: 1 });
  }
  const [a, b] = [blocks[0]?.run, blocks[1]?.run];
  expect(a).not.toBe(b);
  expect(blocks.map(({ run, replicate, n }) => [run, replicate, n])).toEqual(
    [0, 1, 2].flatMap((replicate) => [
      [a, replicate, 20],
      [b, replicate, 20],
    ]),
  );
  expect(new Set(sent.map(({ ask }) => ask.body['cache_salt'])).size).toBe(6);
  const { variants } = JSON.parse(got.stdout) as {
    readonly variants: Readonly<Record<string, Partial<Summary>>>;
  };
  for (const summary of Object.values(variants)) {
    expect(summary.requests).toMatchObject({ arrived: 60, completed: 60 });
    for (const server of summary.client?.servers ?? []) expect(server.hit_rate).toBe(0);
  }
  expect(got.stderr).toContain('prefix caches: cold at the start of each replicate (cache_salt); 0.0 %');
  await close();
});

test('KV events tell the router what each server holds', async () => {
  const servers = [await startScriptedServer({ kvEvents: {} }), await startScriptedServer({ kvEvents: {} })];
  const urls = servers.map(({ url, kv }) => `${url},kv-events=${kv?.endpoint ?? ''}`);
  const { client, requests } = await measured(urls, '--set', 'prefix_share=0.9');
  expect(requests.completed).toBe(requests.arrived);
  for (const server of client?.servers ?? []) {
    expect(server.prefix_source).toBe('events');
    // Blocks of requests in flight are announced when they are computed: only those may surprise.
    expect(server.misprediction_rate).toBeLessThan(0.5);
  }
  await Promise.all(servers.map((server) => server.close()));
});

test('failures are counted by their reason, in no latency, and the run is kept', async () => {
  const fault: ServerScript['fault'] = ({ index }) => {
    // The probe and the profile come first.
    if (index < 12) return undefined;
    if (index % 5 === 0) return { kind: 'error_event', after: 2, done: true };
    if (index % 5 === 1) return { kind: 'reset', after: 1 };
    if (index % 5 === 2) return { kind: 'status', status: 429, retryAfter: 2 };
    return undefined;
  };
  const { urls, close } = await two({ fault, cost: { itlMs: 3 } });
  const { requests, client, metrics } = await measured(urls, '--variant', 'baseline');
  expect(requests.failed).toBeGreaterThan(5);
  expect(requests.rejected).toBeGreaterThan(2);
  expect(requests.completed + requests.rejected + (requests.failed ?? 0)).toBe(requests.arrived);
  expect(metrics.ttft_ms?.n).toBe(requests.completed);
  expect(client?.failed_tokens).toBeGreaterThan(0);
  const reasons = Object.keys(client?.failures ?? {}).join('\n');
  expect(reasons).toContain('error inside the stream after n tokens');
  expect(reasons).toContain('the server reset the connection (ECONNRESET) after n tokens');
  expect(reasons).toContain('status 429');
  await close();
});

test('a server that is killed mid-run: its requests fail, the others go on', async () => {
  const { servers, urls, close } = await two({ cost: { itlMs: 5 } });
  const [first] = servers;
  const kill = async () => {
    const measuredOnes = () => first?.served.filter(({ ask }) => ask.body['cache_salt'] !== undefined).length;
    await expect.poll(measuredOnes, { timeout: 60_000 }).toBeGreaterThan(20);
    await first?.kill();
  };
  const [{ requests, client }] = await Promise.all([measured(urls, '--variant', 'baseline'), kill()]);
  expect(requests.failed).toBeGreaterThan(0);
  expect(requests.completed).toBeGreaterThan(requests.arrived / 3);
  expect(Object.keys(client?.failures ?? {}).join('\n')).toMatch(
    /connection refused|truncated|closed the connection|reset the connection/,
  );
  await close();
});

test('what cannot be measured is refused in one line', async () => {
  const refused = async (...args: string[]) => {
    const got = await dyno('run', target, ...args, ...sets(small));
    expect(got.status, got.stderr).toBe(2);
    return got.stderr.trim();
  };
  expect(await refused('--engine', 'http')).toContain('expected --server URL');
  expect(await refused('--server', '127.0.0.1:1')).toContain('--server goes with --engine http');
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
  expect(await refused('--engine', 'http', '--server', `127.0.0.1:${port}`)).toContain('connection refused');
  expect(await refused('--engine', 'http', '--server', 'http://no-such-host.invalid:8000')).toMatch(
    /no such host|name service/,
  );
  expect(await refused('--engine', 'http', '--server', '127.0.0.1:1,role=prefill')).toContain(
    'engine http has no',
  );
  const locked = await startScriptedServer({ apiKey: 'secret' });
  expect(await refused('--engine', 'http', '--server', locked.url)).toContain('API key');
  await locked.close();
});

test('the router lab over two llama.cpp servers', async () => {
  const why = whyNoLlama();
  test.skip(why !== undefined, why);
  const llamas = [
    await startLlama({ slots: 4, context: 32_768 }),
    await startLlama({ slots: 4, context: 32_768 }),
  ];
  const servers = llamas.flatMap(({ url }) => ['--server', url]);
  const got = await dyno(
    'bench',
    target,
    '--engine',
    'http',
    ...servers,
    ...sets({ ...small, rate_rps: 6, duration_s: 6 }),
    '--json',
    '--no-keep',
  );
  expect(got.status, got.stderr).toBe(0);
  for (const llama of llamas) await llama.close();
  const { variants } = JSON.parse(got.stdout) as {
    readonly variants: Readonly<Record<string, Partial<Summary>>>;
  };
  for (const summary of Object.values(variants)) {
    expect(summary.requests?.completed).toBe(summary.requests?.arrived);
    for (const server of summary.client?.servers ?? [])
      expect(server).toMatchObject({ dialect: 'llamacpp', prompts: 'token ids', token_rule: 'text' });
    expect(summary.kv?.hit_rate).toBeGreaterThan(0.02);
    expect(summary.client?.length_mismatches).toBe(0);
  }
});
