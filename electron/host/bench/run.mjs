// node electron/host/bench/run.mjs [rows]: bundles storeBench.ts and runs it; with `import [kernels]` importBench.ts.
import { spawnSync } from 'node:child_process';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { build } from 'rolldown';

const root = join(import.meta.dirname, '../../..');
const isImport = process.argv[2] === 'import';
const name = isImport ? 'importBench' : 'storeBench';
const file = join(root, `node_modules/.cache/dyno-bench/${name}.mjs`);
await build({
  input: join(import.meta.dirname, `${name}.ts`),
  external: [/^node:/, ...builtinModules, /^@duckdb\//, 'node-sqlite3-wasm'],
  platform: 'node',
  transform: { target: 'node20' },
  logLevel: 'warn',
  output: { file, format: 'esm', codeSplitting: false },
});
process.exitCode =
  spawnSync(process.execPath, [file, ...process.argv.slice(isImport ? 3 : 2)], { stdio: 'inherit' }).status ??
  1;
