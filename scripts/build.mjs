// Builds out/: six Node-side entries with rolldown, the window with vite.
//   node scripts/build.mjs [--only node|window]
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { out, root } from './project.mjs';
import { say } from './say.mjs';

/**
 * What runs outside the window. The preload is one CommonJS file because a sandboxed preload must be.
 * @type {readonly { readonly source: string, readonly file: string, readonly format: 'esm' | 'cjs' }[]}
 */
export const entries = [
  { source: 'electron/main/main.ts', file: 'main.mjs', format: 'esm' },
  { source: 'electron/preload/preload.ts', file: 'preload.cjs', format: 'cjs' },
  { source: 'electron/host/hostProcess.ts', file: 'host.mjs', format: 'esm' },
  { source: 'electron/runner/main.ts', file: 'runner.mjs', format: 'esm' },
  { source: 'electron/host/captures/thread/importThread.ts', file: 'captures.mjs', format: 'esm' },
  { source: 'electron/cli/main.ts', file: 'cli.mjs', format: 'esm' },
];

// Loaded at run time from node_modules or the runtime itself; everything else is bundled.
const external = [/^node:/, ...builtinModules, 'electron', /^electron\//, /^@duckdb\//, /\.node$/];

/** @param {typeof entries[number]} entry */
function options(entry) {
  return {
    input: join(root, entry.source),
    external,
    platform: /** @type {const} */ ('node'),
    transform: { target: 'node20' },
    logLevel: /** @type {const} */ ('warn'),
    output: {
      file: join(out, entry.file),
      format: entry.format,
      sourcemap: true,
      codeSplitting: false,
      // Without spaces and comments, names as they are: a third less to read at each start.
      minify: /** @type {const} */ ({ compress: false, mangle: false, codegen: { removeWhitespace: true } }),
    },
  };
}

export async function buildNode() {
  const { build } = await import('rolldown');
  for (const entry of entries) {
    const { output } = await build({ ...options(entry), write: false });
    for (const file of output)
      replaceFile(join(out, file.fileName), file.type === 'chunk' ? file.code : file.source);
  }
}

/**
 * In one step: a run that starts in this moment finds the old program or the new one, never half of it.
 * @param {string} file
 * @param {string | Uint8Array} content
 */
function replaceFile(file, content) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

export async function buildWindow() {
  const { build } = await import('vite');
  const aside = join(out, 'renderer.new');
  await build({ configFile: join(root, 'vite.config.ts'), logLevel: 'warn', build: { outDir: aside } });
  rmSync(join(out, 'renderer'), { recursive: true, force: true });
  renameSync(aside, join(out, 'renderer'));
}

/**
 * Builds on each change of a source, until the process ends.
 * @param {() => void} onNodeBuilt after each build outside the window
 */
export async function watchAll(onNodeBuilt) {
  const { watch } = await import('rolldown');
  watch(entries.map(options)).on('event', (event) => {
    if (event.code === 'END') onNodeBuilt();
    if (event.code === 'ERROR') say(`build: ${event.error.message}`);
  });
  const { build } = await import('vite');
  await build({ configFile: join(root, 'vite.config.ts'), logLevel: 'warn', build: { watch: {} } });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined;
  if (only !== 'window') await buildNode();
  if (only !== 'node') await buildWindow();
}
