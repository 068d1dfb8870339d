import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { build } from 'rolldown';

const root = join(import.meta.dirname, '../../..');

/** Bundles a Node-side entry for a test, inside the project so that it finds node_modules. Returns the file. */
export async function bundleEntry(source: string, name: string): Promise<string> {
  const all = join(root, 'node_modules/.cache/dyno-test');
  removeLeftovers(all);
  const folder = join(all, String(process.pid));
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  await build({
    input: join(root, source),
    external: [/^node:/, ...builtinModules, 'electron', /^electron\//, /^@duckdb\//, /\.node$/],
    platform: 'node',
    transform: { target: 'node20' },
    logLevel: 'silent',
    output: { file, format: 'esm', codeSplitting: false },
  });
  return file;
}

/** A test worker may be ended without notice; the next one clears up after it. */
function removeLeftovers(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    try {
      process.kill(Number(name), 0);
    } catch {
      rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
}
