// out/ is built again only when a source of it changed.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { out, stamps } from '../project.mjs';
import { SetupFailure } from '../say.mjs';
import { readStamp, stampOf, writeStamp } from './freshness.mjs';

const shared = ['workloads', 'package-lock.json', 'scripts/build.mjs'];

const parts = {
  node: {
    sources: ['electron', 'native', ...shared],
    made: join(out, 'cli.mjs'),
    stampFile: join(stamps, 'node.stamp'),
  },
  window: {
    sources: ['renderer', 'electron/contract', 'vite.config.ts', ...shared],
    made: join(out, 'renderer/index.html'),
    stampFile: join(stamps, 'window.stamp'),
  },
};

/** @typedef {keyof typeof parts} Part */

/** @param {Part} part */
export function isBuilt(part) {
  const { sources, made, stampFile } = parts[part];
  return existsSync(made) && readStamp(stampFile) === stampOf(sources, isSource);
}

/** @param {Part} part */
export async function build(part) {
  const { sources, stampFile } = parts[part];
  const stamp = stampOf(sources, isSource);
  const { buildNode, buildWindow } = await import('../build.mjs');
  try {
    await (part === 'node' ? buildNode() : buildWindow());
  } catch (error) {
    throw new SetupFailure(`set-up: the build failed\n${error instanceof Error ? error.message : error}`, 1);
  }
  writeStamp(stampFile, stamp);
}

/** @param {string} name */
function isSource(name) {
  return !/\.test\.tsx?$|\.md$|^tsconfig.*\.json$|\.(cpp|cu|h)$/.test(name);
}
