// Runs npm; when it fails, one line says why.
import { spawnSync } from 'node:child_process';
import { SetupFailure } from '../say.mjs';

/** Its error codes that have a plain meaning here. */
const meanings = new Map([
  ['EINTEGRITY', 'a package is not what the lockfile says (its integrity differs)'],
  ['ENOSPC', 'the disk is full'],
  ['ENOTFOUND', 'the npm registry cannot be reached (no such host)'],
  ['EAI_AGAIN', 'the npm registry cannot be reached (no name service)'],
  ['ECONNREFUSED', 'the npm registry cannot be reached (connection refused)'],
  ['ECONNRESET', 'the connection to the npm registry broke'],
  ['ETIMEDOUT', 'the npm registry cannot be reached (no answer)'],
  ['EACCES', 'a folder may not be written to'],
]);

/**
 * @param {readonly string[]} args
 * @param {{ cwd: string, failure: string }} how failure: what did not work, to be followed by the reason
 */
export function npm(args, { cwd, failure }) {
  // Inside `npm run` the very npm that is running names itself; elsewhere the one on the PATH is meant.
  const own = process.env['npm_execpath'];
  const [command, before] = own?.endsWith('.js') ? [process.execPath, [own]] : ['npm', []];
  const done = spawnSync(command, [...before, ...args, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (done.error) throw new SetupFailure(`${failure}: ${done.error.message}`);
  if (done.signal) throw new SetupFailure(`${failure}: npm was ended by ${done.signal}`);
  if (done.status !== 0) throw new SetupFailure(`${failure}: ${npmFailure(done.stderr)}`);
}

/** @param {string} words what npm printed */
export function npmFailure(words) {
  const errors = [...words.matchAll(/^npm (?:error|ERR!) (.*)$/gm)].map((match) => match[1] ?? '');
  const code = errors.find((line) => line.startsWith('code '))?.slice(5) ?? '';
  const said = errors.find((line) => !/^(?:code|syscall|errno|A complete log)/.test(line));
  return meanings.get(code) ?? said ?? `npm said ${JSON.stringify(words.trim().slice(-200))}`;
}
