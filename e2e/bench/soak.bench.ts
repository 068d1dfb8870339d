// Soaks the real window: `npm run bench:window` (DYNO_SOAK_MINUTES, 10 when absent). Prints long tasks and heap growth beside the budgets.
//
//   first half    the machine's lanes: 8 GPUs × 20 metrics × 20 Hz, on a fake driver behind the real addon and host
//   second half   a simulated run with 2,000 requests a second of the clock on the wall, its charts drawn live, while the same
//                 stream of the GPUs goes on into the status strip
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { fakeDriver } from '../../native/fakeDrivers.ts';
import { runBar, view } from '../steps.ts';
import { type DynoWindow, launchDyno } from '../support/window.ts';

const minutes = Number(process.env['DYNO_SOAK_MINUTES'] ?? 10);
const gpus = 8;
const requestsPerSecond = 2000;
const pace = 50;
const budget = { longTaskMs: 50, heapBytes: 50e6 };

/** Twenty that NVML itself refreshes, so that all of them come at 20 Hz (GPM has news at 9 Hz at most). */
const shown = [
  ...['kernel_resident', 'memory_busy', 'memory_used_bytes', 'memory_free_bytes', 'memory_reserved_bytes'],
  ...['pcie_tx_bytes_per_s', 'pcie_rx_bytes_per_s', 'nvlink_tx_bytes_per_s', 'nvlink_rx_bytes_per_s'],
  ...['power_w', 'power_average_w', 'power_limit_w', 'energy_j', 'temperature_c', 'memory_temperature_c'],
  ...['sm_clock_mhz', 'memory_clock_mhz', 'throttle_reasons', 'ecc_corrected', 'ecc_uncorrected'],
];
const values = [
  'memoryTotal 150754820096',
  'memoryUsed 90000000000',
  'utilisation 97',
  'smClock 1980',
  'memoryClock 2619',
  'temperature 61',
  'throttle 4',
  'powerLimit 700000',
  'energy 1000000',
  'eccCorrected 0',
  'eccUncorrected 0',
  'field.186 412000',
  'field.185 405000',
  'field.82 70',
  'counter.197 25000000000',
  'wide.197 1',
  'counter.198 25000000000',
  'wide.198 1',
  'counter.138 100000000',
  'wide.138 1',
  'counter.139 100000000',
  'wide.139 1',
  'link.0.remote -1',
];
const script = [
  `gpus ${gpus}`,
  ...Array.from({ length: gpus }, (_, gpu) => [
    `text ${gpu} name Fake H200`,
    ...values.map((value) => `set ${gpu} ${value}`),
  ]).flat(),
];

interface Half {
  readonly name: string;
  readonly seconds: number;
  readonly longTasks: readonly number[];
  /** How late a timer of 20 ms came, ms: how long the page's thread was busy. */
  readonly lateness: readonly number[];
  readonly frames: string;
  readonly load: number;
}

const quantile = (values: readonly number[], q: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
};

async function watch({ page }: DynoWindow, name: string, seconds: number): Promise<Half> {
  const seen = await page.evaluate(async (ms) => {
    const longTasks: number[] = [];
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) longTasks.push(entry.duration);
    });
    observer.observe({ entryTypes: ['longtask'] });
    const lateness: number[] = [];
    const stop = performance.now() + ms;
    while (performance.now() < stop) {
      const begin = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 20));
      lateness.push(Math.max(0, performance.now() - begin - 20));
    }
    observer.disconnect();
    return { longTasks, lateness, frames: document.documentElement.dataset['frames'] ?? '' };
  }, seconds * 1000);
  return { name, seconds, ...seen, load: loadavg()[0] ?? 0 };
}

/** After a collection: what is really held. */
async function heldHeap({ page }: DynoWindow): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  return usedSize;
}

/** Cancels the run and counts what its bundle holds. */
async function rowsPerSecond(dyno: DynoWindow, home: string): Promise<number> {
  await runBar(dyno)
    .getByRole('button', { name: /cancel|stop/i })
    .click();
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'cancelled', { timeout: 120_000 });
  const runs = join(home, 'runs');
  const [run = ''] = readdirSync(runs);
  const manifest = JSON.parse(readFileSync(join(runs, run, 'manifest.json'), 'utf8')) as {
    wall_s: number;
    files: Record<string, { rows?: number }>;
  };
  return (manifest.files['requests.parquet']?.rows ?? 0) / manifest.wall_s;
}

test('the window under 8 GPUs × 20 metrics × 20 Hz and 2,000 request rows a second', async () => {
  const home = mkdtempSync(join(tmpdir(), 'dyno-soak-'));
  const driver = fakeDriver('fake_nvml', script);
  const dyno = await launchDyno({ home, env: { DYNO_NVML: driver.path, DYNO_TELEMETRY_MS: '50' } });
  const { page } = dyno;
  try {
    await page.evaluate(
      ([ids, rate]) => {
        const settings = {
          version: 1,
          theme: 'dark',
          pace: rate,
          inspectorOpen: true,
          logLatency: true,
          pinnedRun: null,
          gpuMetrics: ids,
        };
        localStorage.setItem('dyno.settings', JSON.stringify(settings));
        location.reload();
      },
      [shown, pace] as const,
    );
    await expect(page.getByTestId('machine-now')).toContainText('Fake H200 ×8');
    await view(dyno, 'Live');
    const panel = page.getByTestId('gpu-panel');
    await expect(panel.getByText('GPU 7 · Fake H200').first()).toBeVisible();
    const half = Math.max(10, (minutes * 60) / 2);
    await page.waitForTimeout(10_000);
    const heapAtStart = await heldHeap(dyno);
    const lanes = await watch(dyno, 'lanes of 8 GPUs', half);
    const heapAfterLanes = await heldHeap(dyno);

    await view(dyno, 'Run');
    await page.getByRole('combobox', { name: 'Traffic' }).click();
    await page.getByRole('option', { name: /Open loop/ }).click();
    for (const [label, value] of [
      ['Arrival rate', requestsPerSecond / pace],
      ['Duration', Math.ceil(half * 1.5 + 60) * pace],
      ['Prompt, median', 200],
      ['Output, median', 20],
    ] as const)
      await page.getByLabel(label, { exact: true }).fill(String(value));
    await page.getByRole('button', { name: 'Run optimized', exact: true }).click();
    await expect(runBar(dyno)).toHaveAttribute('data-state', 'running', { timeout: 120_000 });
    await expect
      .poll(async () => Number(await page.getByTestId('chart-ttft').getAttribute('data-points')), {
        timeout: 120_000,
      })
      .toBeGreaterThan(10);
    const serving = await watch(dyno, 'run with 2,000 requests/s', half);
    const heapAtEnd = await heldHeap(dyno);
    await dyno.screenshot('soak');
    await page.keyboard.press('Escape');
    const served = await rowsPerSecond(dyno, home);

    const growth = heapAtEnd - heapAtStart;
    for (const { name, seconds, longTasks, lateness, frames, load } of [lanes, serving]) {
      const p99 = quantile(lateness, 0.99);
      console.log(
        `${name}, ${seconds.toFixed(0)} s: busy p99 ${p99.toFixed(1)} ms of ${lateness.length} looks (budget ≤ ${budget.longTaskMs} ms), ` +
          `${longTasks.length} long tasks (p99 ${quantile(longTasks, 0.99).toFixed(0)} ms, longest ${Math.max(0, ...longTasks).toFixed(0)} ms); ` +
          `drawing ${frames} ms; load average ${load.toFixed(1)}`,
      );
    }
    console.log(
      `request rows stored: ${served.toFixed(0)} a second of the clock on the wall (asked: ${requestsPerSecond})`,
    );
    console.log(
      `renderer heap held: ${(heapAtStart / 1e6).toFixed(1)} MB, after the lanes ${(heapAfterLanes / 1e6).toFixed(1)}, at the end ${(heapAtEnd / 1e6).toFixed(1)}: ` +
        `growth ${(growth / 1e6).toFixed(1)} MB over ${minutes} min (budget ≤ ${budget.heapBytes / 1e6} MB)`,
    );
    const out = process.env['DYNO_SOAK_OUT'];
    if (out !== undefined)
      writeFileSync(
        out,
        `${JSON.stringify(
          {
            minutes,
            request_rows_per_s: served,
            heap: { start: heapAtStart, after_lanes: heapAfterLanes, end: heapAtEnd },
            halves: [lanes, serving].map(({ lateness, longTasks, ...rest }) => ({
              ...rest,
              looks: lateness.length,
              busy_ms: {
                p50: quantile(lateness, 0.5),
                p99: quantile(lateness, 0.99),
                max: Math.max(...lateness),
              },
              long_tasks: {
                n: longTasks.length,
                p99: quantile(longTasks, 0.99),
                max: Math.max(0, ...longTasks),
              },
            })),
          },
          undefined,
          1,
        )}\n`,
      );
  } finally {
    await dyno.close();
    driver.remove();
    rmSync(home, { recursive: true, force: true });
  }
});
