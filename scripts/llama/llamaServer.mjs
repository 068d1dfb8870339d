// Which llama-server the tests drive. Reading only; buildLlamaServer.mjs makes it where there is none.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, userCache } from '../project.mjs';

/**
 * @typedef {object} LlamaServer
 * @property {string} executable
 * @property {string} folder its working directory: ggml looks there for the variants of its CPU back end
 */

/** The package that pins it: the source bundle and the libraries come from node-llama-cpp of this version. */
export const llamaPackage = join(root, 'e2e/llama');

/** @returns {string} */
export function llamaVersion() {
  return JSON.parse(readFileSync(join(llamaPackage, 'package.json'), 'utf8')).dependencies['node-llama-cpp'];
}

export const llamaFolder = () => join(userCache(), `llama-server-${llamaVersion()}-linux-x64`);

/** @returns {LlamaServer | undefined} */
export function findLlamaServer() {
  const folder = llamaFolder();
  const executable = join(folder, 'llama-server');
  return existsSync(executable) && existsSync(join(folder, 'version')) ? { executable, folder } : undefined;
}

/** Why this machine has no llama-server, in words that follow `skipped: `. @returns {string} */
export function whyNoLlamaServer() {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `llama-server is built for linux-x64 only, this is ${process.platform}-${process.arch}`;
  const note = join(userCache(), `llama-server-${llamaVersion()}.failed`);
  if (existsSync(note)) return readFileSync(note, 'utf8').trim();
  return 'llama-server is not built yet: run `npm run setup`';
}
