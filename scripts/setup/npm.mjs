// Runs npm with its talk on stderr.
import { spawnSync } from 'node:child_process';
import { SetupFailure } from '../say.mjs';

/**
 * @param {readonly string[]} args
 * @param {{ cwd: string, failure: string }} how
 */
export function npm(args, { cwd, failure }) {
  // Inside `npm run` the very npm that is running names itself; elsewhere the one on the PATH is meant.
  const own = process.env['npm_execpath'];
  const [command, before] = own?.endsWith('.js') ? [process.execPath, [own]] : ['npm', []];
  const done = spawnSync(command, [...before, ...args, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (done.error) throw new SetupFailure(`${failure}: ${done.error.message}`);
  if (done.status !== 0) throw new SetupFailure(`${failure} (npm's own words stand above)`);
}
