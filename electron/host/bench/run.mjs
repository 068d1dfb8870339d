// node electron/host/bench/run.mjs [rows]: bundles storeBench.ts and runs it.
import { spawnSync } from 'node:child_process';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { build } from 'rolldown';

const root = join(import.meta.dirname, '../../..');
const file = join(root, 'node_modules/.cache/dyno-bench/storeBench.mjs');
await build({
  input: join(import.meta.dirname, 'storeBench.ts'),
  external: [/^node:/, ...builtinModules, /^@duckdb\//],
  platform: 'node',
  transform: { target: 'node20' },
  logLevel: 'warn',
  output: { file, format: 'esm', codeSplitting: false },
});
process.exitCode =
  spawnSync(process.execPath, [file, ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1;
