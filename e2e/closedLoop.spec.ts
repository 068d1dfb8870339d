// Fixed concurrency and closed sessions on servers, through the command line: what the servers saw is what was asked for.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import type { Capacity } from '../workloads/harness/capacity.ts';
import type { Summary } from '../workloads/run/summary.ts';
import { runCli } from './support/cli.ts';
import {
  type ScriptedServer,
  type ServedRequest,
  startScriptedServer,
} from './support/scriptedServer/scriptedServer.ts';

const target = 'labs/dynamic_router:dynamic_router';
const home = mkdtempSync(join(tmpdir(), 'dyno-closed-'));
test.afterAll(() => rmSync(home, { recursive: true, force: true }));
test.describe.configure({ timeout: 240_000 });

async function json(
  command: string,
  servers: readonly ScriptedServer[],
  ...more: string[]
): Promise<unknown> {
  const urls = servers.flatMap(({ url }) => ['--server', url]);
  const args = [command, target, '--engine', 'http', ...urls, '--variant', 'baseline', '--json', ...more];
  const got = await runCli(args, { home, timeoutMs: 200_000 });
  expect(got.status, got.stderr).toBe(0);
  return JSON.parse(got.stdout);
}

const sets = (values: Readonly<Record<string, string | number>>): string[] =>
  Object.entries(values).flatMap(([name, value]) => ['--set', `${name}=${value}`]);

/** Requests of the run, not of the probe, by the client or conversation that sent them, in order of arrival. */
function bySession(servers: readonly ScriptedServer[]): ServedRequest[][] {
  const found = new Map<string, ServedRequest[]>();
  for (const request of servers.flatMap(({ served }) => served)) {
    const session = request.ask.http.headers.get('x-session-affinity');
    if (session !== undefined) found.set(session, [...(found.get(session) ?? []), request]);
  }
  return [...found.values()].map((own) => own.sort((a, b) => a.ask.http.receivedMs - b.ask.http.receivedMs));
}

test('fixed concurrency: each client sends its next request after its answer, and the response time law holds', async () => {
  const cost = { overheadMs: 15, itlMs: 3 };
  const servers = [await startScriptedServer({ cost }), await startScriptedServer({ cost })];
  const clients = 6;
  const got = (await json(
    'run',
    servers,
    '--no-keep',
    ...sets({ traffic: 'closed', clients, requests_per_client: 50, think_s: 0, ramp_s: 0.5 }),
    ...sets({ prompt_median: 100, output_median: 8 }),
  )) as { readonly summary: Summary };
  const { requests, window, metrics, overload } = got.summary;
  expect(requests).toMatchObject({ arrived: 300, completed: 300 });
  expect(overload).toBeUndefined();
  const sessions = bySession(servers);
  expect(sessions).toHaveLength(clients);
  for (const own of sessions) {
    expect(own).toHaveLength(50);
    // A client asks only after the last token of its answer: so never more are in flight than there are clients.
    own.forEach(({ ask }, i) => {
      if (i > 0) expect(ask.http.receivedMs).toBeGreaterThan(own[i - 1]?.times.lastMs ?? Number.NaN);
    });
  }
  if (window === undefined) throw new Error('a window');
  const rate = window.requests / (window.to_s - window.from_s);
  // Clients = requests/s × E2E, however slow the machine is: latencies count from when a client would have sent.
  expect((rate * (metrics.e2e_ms?.mean ?? 0)) / 1e3 / clients).toBeGreaterThan(0.85);
  expect((rate * (metrics.e2e_ms?.mean ?? 0)) / 1e3 / clients).toBeLessThan(1.15);
  for (const server of servers) await server.close();
});

test('closed sessions of a trace: a turn comes after the answer before it and its think time', async () => {
  const path = join(home, 'sessions.jsonl');
  const delays = [0, 300, 50];
  const rows = Array.from({ length: 5 }, (_, s) =>
    delays.map((delay, i) => ({
      session_id: `s${s}`,
      ...(i === 0 ? { timestamp: 40 * s } : { delay }),
      input_length: 60,
      output_length: 5,
    })),
  ).flat();
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const servers = [await startScriptedServer({ cost: { overheadMs: 10, itlMs: 4 } })];
  const { summary } = (await json('run', servers, '--no-keep', '--trace', path)) as {
    readonly summary: Summary;
  };
  expect(summary.requests).toMatchObject({ arrived: 15, completed: 15 });
  const sessions = bySession(servers);
  expect(sessions).toHaveLength(5);
  for (const own of sessions) {
    // The conversation so far is the beginning of the next prompt.
    expect(own.map(({ ask }) => ask.prompt.length)).toEqual([60, 125, 190]);
    own.forEach(({ ask }, i) => {
      const before = own[i - 1]?.times.lastMs;
      // Sent on time to 0.1 ms, and stamped by two processes.
      if (before !== undefined) expect(ask.http.receivedMs - before).toBeGreaterThan((delays[i] ?? 0) - 1);
    });
  }
  for (const server of servers) await server.close();
});

test('dyno capacity finds how many clients a server carries', async () => {
  // One request after the other, 40 ms each: n clients wait n × 40 ms, and 600 ms are allowed: 15 at the very most. A busy
  // machine finds fewer; what a quiet one finds exactly is tested in workloads/harness.
  const servers = [await startScriptedServer({ cost: { maxConcurrent: 1, serviceMs: () => 40, itlMs: 0 } })];
  const found = (await json(
    'capacity',
    servers,
    ...sets({ traffic: 'closed', clients: 4, requests_per_client: 6, think_s: 0, ramp_s: 0 }),
    ...sets({ prompt_median: 50, output_median: 2, slo_ttft_ms: 600, slo_tpot_ms: 60_000 }),
    ...['--good', '0.9', '--seeds', '1', '--tolerance', '0.5'],
  )) as Capacity;
  expect(found.clients).toBeGreaterThanOrEqual(1);
  expect(found.clients).toBeLessThanOrEqual(15);
  expect(found.points.length).toBeGreaterThanOrEqual(2);
  expect(found.points.find(({ clients }) => clients === found.clients)?.meets).toBe(true);
  expect(found.points.at(-1)?.meets).toBe(false);
  // Six requests of each client were sent at every point.
  const sent = servers[0]?.served.filter(({ ask }) => ask.http.headers.has('x-session-affinity')).length;
  expect(sent).toBe(found.points.reduce((sum, { clients = 0 }) => sum + 6 * clients, 0));
  for (const server of servers) await server.close();
});
