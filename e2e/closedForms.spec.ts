// Queueing formulas through the whole client: a scripted server with one slot is an M/M/1 or M/D/1 queue, and what engine http
// measures at the other end of the wire must be what the queue did.
//
//   M/M/1  mean time in the system 1/(μ − λ)            M/D/1  1/μ + ρ/(2 μ (1 − ρ))
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { stream } from '../workloads/run/random.ts';
import type { Summary } from '../workloads/run/summary.ts';
import { runCli } from './support/cli.ts';
import { startScriptedServer } from './support/scriptedServer/scriptedServer.ts';

const home = mkdtempSync(join(tmpdir(), 'dyno-queue-'));
test.afterAll(() => rmSync(home, { recursive: true, force: true }));
test.describe.configure({ timeout: 240_000 });

const meanMs = 10;
const load = 0.5;
const requests = 1000;

/** Poisson arrivals, ms. */
function arrivals(): number[] {
  const random = stream(7, 'closed form arrivals');
  let at = 0;
  return Array.from({ length: requests }, () => {
    at += random.exponential(meanMs / load);
    return at;
  });
}

function services(): number[] {
  const random = stream(11, 'closed form service');
  return Array.from({ length: requests + 500 }, () => random.exponential(meanMs));
}

/** Mean time in the system of a single-server queue by Lindley's recursion. */
function lindley(serviceMs: (n: number) => number): number {
  let free = 0;
  let sum = 0;
  arrivals().forEach((at, n) => {
    free = Math.max(at, free) + serviceMs(n);
    sum += free - at;
  });
  return sum / requests;
}

/** One-token requests through `dyno run --engine http` on a server with one slot. */
async function throughClient(serviceMs: (n: number) => number) {
  const path = join(home, 'poisson.jsonl');
  const line = (at: number) => `{"timestamp": ${at.toFixed(6)}, "input_length": 16, "output_length": 1}\n`;
  writeFileSync(path, arrivals().map(line).join(''));
  const server = await startScriptedServer({ cost: { maxConcurrent: 1, serviceMs } });
  const got = await runCli(
    [
      ...['run', 'labs/dynamic_router:dynamic_router', '--engine', 'http', '--server', server.url],
      ...['--trace', path, '--variant', 'baseline', '--json', '--no-keep'],
    ],
    { home, timeoutMs: 200_000 },
  );
  test.skip(got.status === 3 && got.stderr.includes('engine http'), got.stderr.trim());
  expect(got.status, got.stderr).toBe(0);
  const { summary } = JSON.parse(got.stdout) as { readonly summary: Summary };
  expect(summary.requests).toMatchObject({ arrived: requests, completed: requests });
  // The probe's requests came before the run's own.
  const before = server.served.length - requests;
  const own = server.served.slice(before).map(({ times }) => times.firstMs - times.receivedMs);
  await server.close();
  const queue = own.reduce((sum, value) => sum + value, 0) / own.length;
  return {
    client: summary.metrics.ttft_ms?.mean ?? Number.NaN,
    queue,
    expected: lindley((n) => serviceMs(n + before)),
  };
}

test('the drawn arrivals and services are those of the formulas', () => {
  const draws = services();
  expect(lindley((n) => draws[n] ?? meanMs) / (meanMs / (1 - load))).toBeCloseTo(1, 1);
  expect(lindley(() => meanMs) / (meanMs + (load * meanMs) / (2 * (1 - load)))).toBeCloseTo(1, 1);
});

test('M/M/1 and M/D/1: the client measures what the queue did', async () => {
  const busy = loadavg()[0] ?? 0;
  const cores = availableParallelism();
  test.skip(
    busy > cores,
    `waits of milliseconds need a quiet machine: load ${busy.toFixed(1)} on ${cores} cores`,
  );
  const draws = services();
  const found = [await throughClient((n) => draws[n] ?? meanMs), await throughClient(() => meanMs)];
  for (const { client, queue, expected } of found) {
    // The queue saw the arrivals that were drawn, and the client adds no more than the wire does.
    expect(queue / expected).toBeGreaterThan(0.9);
    expect(queue / expected).toBeLessThan(1.1);
    expect(client - queue).toBeGreaterThan(-0.5);
    expect(client - queue).toBeLessThan(4);
  }
});
