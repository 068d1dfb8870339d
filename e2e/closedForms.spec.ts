// Queueing formulas through the whole client: a scripted server with one slot is an M/M/1 or M/D/1 queue, and what engine http
// measures at the other end of the wire must be what the formula says.
//
//   M/M/1  mean time in the system 1/(μ − λ)            M/D/1  1/μ + ρ/(2 μ (1 − ρ))
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { stream } from '../workloads/run/random.ts';
import type { Summary } from '../workloads/run/summary.ts';
import { runCli } from './support/cli.ts';
import { startScriptedServer } from './support/scriptedServer/scriptedServer.ts';

const home = mkdtempSync(join(tmpdir(), 'dyno-queue-'));
test.afterAll(() => rmSync(home, { recursive: true, force: true }));
test.describe.configure({ timeout: 240_000 });

const meanServiceMs = 20;
const load = 0.6;
const requests = 1200;

/** Poisson arrivals of one-token requests. */
function trace(): string {
  const path = join(home, 'poisson.jsonl');
  const random = stream(7, 'closed form arrivals');
  let at = 0;
  const lines = Array.from({ length: requests }, () => {
    at += random.exponential(meanServiceMs / load);
    return `{"timestamp": ${at.toFixed(6)}, "input_length": 16, "output_length": 1}`;
  });
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

/** Mean time in the system, ms: as the client measured it, and as the queue had it on its own planned times. */
async function throughClient(serviceMs: (n: number) => number) {
  const server = await startScriptedServer({ cost: { maxConcurrent: 1, serviceMs } });
  const got = await runCli(
    [
      ...['run', 'labs/dynamic_router:dynamic_router', '--engine', 'http', '--server', server.url],
      ...['--trace', trace(), '--variant', 'baseline', '--json', '--no-keep'],
    ],
    { home, timeoutMs: 200_000 },
  );
  expect(got.status, got.stderr).toBe(0);
  const { summary } = JSON.parse(got.stdout) as { readonly summary: Summary };
  expect(summary.requests).toMatchObject({ arrived: requests, completed: requests });
  // Probes and warm-up requests came before; the run's own are the last ones.
  const served = server.served.slice(-requests).map(({ times }) => times.firstMs - times.receivedMs);
  await server.close();
  const planned = served.reduce((sum, value) => sum + value, 0) / served.length;
  return { measured: summary.metrics.ttft_ms?.mean ?? Number.NaN, planned };
}

test('M/M/1 and M/D/1: what the client measures is what the queue did, and what the formula says', async () => {
  const random = stream(11, 'closed form service');
  const draws = Array.from({ length: requests + 500 }, () => random.exponential(meanServiceMs));
  const exponential = await throughClient((n) => draws[n] ?? meanServiceMs);
  const fixed = await throughClient(() => meanServiceMs);
  const formula = {
    exponential: meanServiceMs / (1 - load),
    fixed: meanServiceMs + (load * meanServiceMs) / (2 * (1 - load)),
  };
  for (const [name, { measured, planned }] of Object.entries({ exponential, fixed })) {
    console.log(`${name}: client ${measured.toFixed(2)} ms, queue ${planned.toFixed(2)} ms`);
    // The wire and the client add their own lateness, on a busy machine a millisecond or two.
    expect(measured - planned).toBeGreaterThan(-0.5);
    expect(measured - planned).toBeLessThan(4);
  }
  // 1,200 correlated waits scatter by about 8 % (M/M/1) and 4 % (M/D/1) around the mean: three times that.
  expect(exponential.planned / formula.exponential).toBeGreaterThan(0.75);
  expect(exponential.planned / formula.exponential).toBeLessThan(1.25);
  expect(fixed.planned / formula.fixed).toBeGreaterThan(0.88);
  expect(fixed.planned / formula.fixed).toBeLessThan(1.12);
});
