// What must be there before a command runs. Plain Node, no dependency; a set-up with nothing to do takes ~50 ms.
//
//   node scripts/setup.mjs cli      npm start, test and dyno call this by themselves (their `pre` scripts)
//   node scripts/setup.mjs window
//   node scripts/setup.mjs test
//
//            dependencies  native addon  node build  window build  Electron  system libraries  Xvfb            llama-server
//   cli           x             x            x
//   window        x             x            x            x           x             x
//   test          x             x            x            x           x             x           x (no display)  x
import { join } from 'node:path';
import { stamps } from './project.mjs';
import { runMain, SetupFailure } from './say.mjs';
import { build, isBuilt } from './setup/build.mjs';
import { dependenciesAreFresh, installDependencies } from './setup/dependencies.mjs';
import { whyNoDisplay } from './setup/display.mjs';
import { withLock } from './setup/lock.mjs';
import { buildNative, nativeIsFresh } from './setup/native.mjs';

const roles = /** @type {const} */ (['cli', 'window', 'test']);

/** @param {typeof roles[number]} role */
async function setUp(role) {
  requireNode();
  // Without a display `npm start` runs the lab in the terminal: no runtime is fetched for a window that cannot open.
  const withWindow = role === 'test' || (role === 'window' && whyNoDisplay() === undefined);
  await makeFresh(withWindow ? ['node', 'window'] : ['node']);
  if (withWindow) await prepareElectron(role === 'test' && whyNoDisplay() !== undefined);
  if (role === 'test') await (await import('./llama/buildLlamaServer.mjs')).ensureLlamaServer();
}

/** @param {import('./setup/build.mjs').Part[]} parts */
async function makeFresh(parts) {
  const isFresh = () => dependenciesAreFresh() && nativeIsFresh() && parts.every(isBuilt);
  if (isFresh()) return;
  await withLock(join(stamps, 'setup.lock'), async () => {
    if (!dependenciesAreFresh()) installDependencies();
    if (!nativeIsFresh()) buildNative();
    for (const part of parts) if (!isBuilt(part)) await build(part);
  });
}

/** @param {boolean} virtualDisplay */
async function prepareElectron(virtualDisplay) {
  const { ensureElectron } = await import('./electron/runtime.mjs');
  const { ensureSystemPackages } = await import('./setup/systemPackages.mjs');
  const { executable } = await ensureElectron();
  ensureSystemPackages(executable, { virtualDisplay });
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new SetupFailure(`set-up: Dyno needs Node 20.19 or newer, this is ${process.versions.node}`);
}

await runMain(async () => {
  const role = roles.find((name) => name === process.argv[2]);
  if (role === undefined) throw new SetupFailure(`usage: node scripts/setup.mjs ${roles.join('|')}`, 2);
  await setUp(role);
});
