// Builds and runs the plain C++ tests (`tests/*.cpp`) under AddressSanitizer with UndefinedBehaviorSanitizer; `npm run attack` sets
// DYNO_ATTACK and runs them under ThreadSanitizer as well, whose build takes minutes.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const built = existsSync(join(import.meta.dirname, 'build', 'dyno.node'));

const sanitizers = process.env['DYNO_ATTACK'] === '1' ? ['address', 'thread'] : ['address'];

it.skipIf(!built).each(sanitizers)(
  'the C++ logic passes its tests under the sanitizer of: %s',
  { timeout: 480_000 },
  async (sanitizer) => {
    const child = spawn(process.execPath, [
      join(import.meta.dirname, 'build.mjs'),
      `--logic-tests=${sanitizer}`,
    ]);
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
  },
);
