// The native addon is welcome, never required: without a compiler everything but GPU telemetry and the cuda engine works.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root, stamps } from '../project.mjs';
import { say } from '../say.mjs';
import { readStamp, stampOf, writeStamp } from './freshness.mjs';

const script = 'native/build.mjs';
const stampFile = join(stamps, 'native.stamp');

const wanted = () => stampOf(['native', 'package-lock.json'], (name) => !/\.(ts|md)$/.test(name));

export function nativeIsFresh() {
  return !existsSync(join(root, script)) || readStamp(stampFile) === wanted();
}

/** A failed build is reported once and tried again when a source changes. */
export function buildNative() {
  const stamp = wanted();
  const done = spawnSync(process.execPath, [join(root, script)], { cwd: root, stdio: ['ignore', 2, 2] });
  if (done.status !== 0) say('set-up: going on without the native addon (no GPU telemetry, no cuda engine)');
  writeStamp(stampFile, stamp);
}
