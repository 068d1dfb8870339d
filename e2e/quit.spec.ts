// Dyno ends while a run goes on: what was measured is sealed first, whichever way the end comes.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { choosePace, pointsOf, runnerPid, startRun } from './steps.ts';
import { expect, test } from './support/test.ts';
import { launchDyno } from './support/window.ts';

const ways = ['quit', 'window', 'SIGTERM'] as const;

for (const way of ways) {
  test(`a run is sealed when Dyno ends by ${way}`, async ({ home }) => {
    const dyno = await launchDyno({ home });
    const words: string[] = [];
    dyno.app.process().stderr?.on('data', (bytes: Buffer) => words.push(bytes.toString()));
    await choosePace(dyno, 'Watch in real time');
    await startRun(dyno, 'Run baseline');
    const runner = await runnerPid(dyno);
    await expect.poll(() => pointsOf(dyno, 'ttft'), { timeout: 20_000 }).toBeGreaterThan(1);
    const process_ = dyno.app.process();
    const ended = new Promise((resolve) => process_.once('exit', resolve));
    const begin = performance.now();
    if (way === 'quit') await dyno.app.evaluate(({ app }) => app.quit()).catch(() => undefined);
    else if (way === 'window')
      await dyno.app
        .evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close())
        .catch(() => undefined);
    else process_.kill('SIGTERM');
    await ended;
    // The budget is 3 s; other work shares the cores of a test machine.
    expect(performance.now() - begin).toBeLessThan(20_000);

    const [run = ''] = readdirSync(join(home, 'runs')).filter((name) => !name.startsWith('.'));
    const files = readdirSync(join(home, 'runs', run));
    const manifest: unknown = JSON.parse(readFileSync(join(home, 'runs', run, 'manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({ status: 'cancelled', files: { 'samples.parquet': {} } });
    expect(files.filter((name) => /live|lock|tmp|spec/.test(name))).toEqual([]);
    expect(() => process.kill(runner, 0)).toThrow();
    expect(words.join('')).not.toMatch(/terminate called|Napi::Error|UnhandledPromise|ERR_ABORTED|rejection/);
    await dyno.close().catch(() => undefined);
  });
}
