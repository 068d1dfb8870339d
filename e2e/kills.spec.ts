// A process of the window is killed during a run: what was measured up to a second before is kept, whole and listed.
// `npm run attack -- --window` repeats it, every second time beside busy cores.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { choosePace, runBar, runnerPid, startRun } from './steps.ts';
import { runCli } from './support/cli.ts';
import { expect, test } from './support/test.ts';
import { type DynoWindow, launchDyno } from './support/window.ts';

const victims = ['main', 'host', 'renderer'] as const;
const mostLostMs = 1000;

/** The run's own clock as the run bar shows it, s; undefined before the run began. */
async function clockOf(dyno: DynoWindow): Promise<number | undefined> {
  const found = /t = (?:(\d+):)?(\d\d):(\d\d)/.exec((await runBar(dyno).textContent()) ?? '');
  if (found === null) return undefined;
  return Number(found[1] ?? 0) * 3600 + Number(found[2]) * 60 + Number(found[3]);
}

const pidOf = (dyno: DynoWindow, victim: 'host' | 'renderer'): Promise<number> =>
  dyno.app.evaluate(
    ({ app, BrowserWindow }, which) =>
      which === 'renderer'
        ? (BrowserWindow.getAllWindows()[0]?.webContents.getOSProcessId() ?? 0)
        : (app.getAppMetrics().find(({ name, serviceName }) => [name, serviceName].includes('dyno host'))
            ?.pid ?? 0),
    victim,
  );

interface Bundle {
  readonly folder: string;
  readonly status: string;
  readonly message: string;
  readonly files: Readonly<Record<string, { readonly rows?: number }>>;
}

function bundleIn(home: string): Bundle {
  const [run = ''] = readdirSync(join(home, 'runs')).filter((name) => !name.startsWith('.'));
  const folder = join(home, 'runs', run);
  const { status, error, files } = JSON.parse(
    readFileSync(join(folder, 'manifest.json'), 'utf8'),
  ) as Bundle & {
    readonly error?: { readonly message: string };
  };
  return { folder, status, message: error?.message ?? '', files };
}

/** The latest time that any row of the bundle's samples or iterations has, s on the run's clock. */
async function lastTimeOf({ folder, files }: Bundle): Promise<number> {
  const instance = await DuckDBInstance.create(':memory:');
  const duckdb = await instance.connect();
  try {
    let last = 0;
    for (const [file, column] of [
      ['samples.parquet', 'time_ns'],
      ['iterations.parquet', 'end_ns'],
    ] as const) {
      if ((files[file]?.rows ?? 0) === 0) continue;
      const path = join(folder, file).replaceAll("'", "''");
      const found = await duckdb.runAndReadAll(`SELECT max(${column})::DOUBLE FROM read_parquet('${path}')`);
      last = Math.max(last, Number(found.getRows()[0]?.[0] ?? 0) / 1e9);
    }
    return last;
  } finally {
    duckdb.closeSync();
    instance.closeSync();
  }
}

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

for (const victim of victims) {
  test(`nothing older than a second is lost when ${victim} is killed`, async ({ home }, info) => {
    const isBusy = process.env['DYNO_ATTACK'] === '1' && info.repeatEachIndex % 2 === 1;
    const burners = isBusy
      ? [1, 2].map(() => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }))
      : [];
    const dyno = await launchDyno({ home });
    try {
      // Slow enough that the run goes on while a busy machine loads the page again.
      await choosePace(dyno, 'Watch at 10×');
      await startRun(dyno, 'Run baseline');
      const runner = await runnerPid(dyno);
      const host = await pidOf(dyno, 'host');
      const main = dyno.app.process().pid ?? 0;
      await expect.poll(() => clockOf(dyno), { timeout: 20_000 }).toBeGreaterThan(30);
      const safe = (await clockOf(dyno)) ?? 0;
      const seenAt = performance.now();
      // What was on the screen then has to be on the disk when the kill comes.
      await expect.poll(() => performance.now() - seenAt, { intervals: [50] }).toBeGreaterThan(mostLostMs);
      process.kill(victim === 'main' ? main : await pidOf(dyno, victim), 'SIGKILL');
      if (victim === 'main') {
        // Neither host nor runner outlives the window that is gone.
        await expect.poll(() => isGone(host) && isGone(runner), { timeout: 20_000 }).toBe(true);
        expect((await runCli(['runs', '--json'], { home })).status).toBe(0);
      }
      if (victim === 'renderer') {
        // The page is loaded again and knows the run that went on meanwhile; quitting seals it.
        const state = () =>
          dyno.app
            .evaluate(({ BrowserWindow }) =>
              Promise.race([
                BrowserWindow.getAllWindows()[0]?.webContents.executeJavaScript(
                  'document.querySelector("[data-testid=run-bar]")?.dataset.state',
                ),
                // A question to a page that is just being loaded may never be answered.
                new Promise((resolve) => setTimeout(() => resolve('no answer'), 1000)),
              ]),
            )
            .catch((thrown: unknown) => String(thrown));
        await expect.poll(state, { timeout: 20_000 }).toBe('running');
        await dyno.app.evaluate(({ app }) => app.quit()).catch(() => undefined);
      }
      await expect.poll(() => bundleIn(home).status, { timeout: 30_000 }).not.toBe('running');
      const bundle = bundleIn(home);
      expect(bundle.status).toBe(victim === 'renderer' ? 'cancelled' : 'interrupted');
      expect(bundle.message).not.toContain('could not be read');
      for (const table of ['requests', 'iterations', 'decisions', 'samples'])
        expect(bundle.files[`${table}.parquet`]?.rows ?? 0, table).toBeGreaterThan(0);
      expect(await lastTimeOf(bundle)).toBeGreaterThanOrEqual(safe);
      await expect
        .poll(() => readdirSync(bundle.folder).filter((name) => /^live|^\.rec|\.tmp$|lock$/.test(name)))
        .toEqual([]);
    } finally {
      for (const burner of burners) burner.kill('SIGKILL');
      await dyno.close().catch(() => undefined);
    }
  });
}
