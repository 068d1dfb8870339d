// An X server without a screen, on a display number that is free: it picks one itself and writes it to the pipe.
import { spawn } from 'node:child_process';
import { SetupFailure } from './say.mjs';

const startMs = 20_000;

/** @returns {Promise<{ name: string, stop(): void }>} name as DISPLAY wants it, `:7` */
export async function startVirtualDisplay() {
  const args = ['-displayfd', '3', '-screen', '0', '1600x1000x24', '-nolisten', 'tcp', '-ac'];
  const server = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  let words = '';
  server.stderr?.on('data', (bytes) => {
    words += bytes;
  });
  const number = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new SetupFailure(`Xvfb did not start: ${words.trim()}`)), startMs);
    const end = (/** @type {Error | number | null} */ why) => {
      clearTimeout(late);
      reject(new SetupFailure(`Xvfb ended (${why}): ${words.trim()}`));
    };
    server.once('error', end);
    server.once('exit', end);
    server.stdio[3]?.once('data', (bytes) => {
      clearTimeout(late);
      resolve(String(bytes).trim());
    });
  });
  return { name: `:${number}`, stop: () => void server.kill() };
}
