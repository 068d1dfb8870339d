import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RunsWatcher } from './runsWatcher.ts';

let runs: string;
let watcher: RunsWatcher | undefined;
beforeEach(() => {
  runs = mkdtempSync(join(tmpdir(), 'dyno-runs-'));
});
afterEach(() => {
  watcher?.close();
  rmSync(runs, { recursive: true, force: true });
});

/** A watcher and a way to wait for its next word. */
function watching(isOwn: (name: string) => boolean = () => false) {
  let told = 0;
  let resolve: (() => void) | undefined;
  watcher = new RunsWatcher(runs, isOwn, () => {
    told += 1;
    resolve?.();
  });
  watcher.start();
  return {
    next: () =>
      new Promise<void>((done) => {
        resolve = done;
      }),
    told: () => told,
  };
}

const bundle = (name: string, writer: number) => {
  mkdirSync(join(runs, name));
  writeFileSync(join(runs, name, 'writer.lock'), JSON.stringify({ pid: writer, start: '' }));
};

test('a bundle that another process makes, seals and removes is told each time', async () => {
  const other = spawn('sleep', ['60']);
  try {
    const { next } = watching();
    let change = next();
    bundle('foreign', other.pid ?? 0);
    await change;
    // Its manifest is written again while it is another's.
    change = next();
    writeFileSync(join(runs, 'foreign', 'manifest.json'), '{"status":"done"}');
    await change;
    change = next();
    rmSync(join(runs, 'foreign'), { recursive: true });
    await change;
  } finally {
    other.kill();
  }
});

test('what this host makes is no news', async () => {
  const { next, told } = watching((name) => name === 'own');
  bundle('own', process.pid);
  const change = next();
  // The second folder's word comes after the first one's would have.
  mkdirSync(join(runs, 'copied'));
  await change;
  expect(told()).toBe(1);
  writeFileSync(join(runs, 'own', 'manifest.json'), '{}');
  const last = next();
  rmSync(join(runs, 'copied'), { recursive: true });
  await last;
  expect(told()).toBe(2);
});
