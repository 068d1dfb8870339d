// Builds and runs the plain C++ tests under AddressSanitizer and UndefinedBehaviorSanitizer (`tests/*.cpp`).
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const built = existsSync(join(import.meta.dirname, 'build', 'dyno.node'));

it.skipIf(!built)('the C++ logic passes its tests under AddressSanitizer', { timeout: 240_000 }, async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'build.mjs'), '--logic-tests=address']);
  let said = '';
  child.stdout.on('data', (bytes) => {
    said += String(bytes);
  });
  child.stderr.on('data', (bytes) => {
    said += String(bytes);
  });
  const status = await new Promise((resolve) => child.on('close', resolve));
  if (status !== 0) console.log(said);
  expect(status).toBe(0);
  expect(said).toMatch(/logic-tests: \d+ passed, 0 failed/);
});
