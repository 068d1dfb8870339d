import { existsSync, readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { duckdbVersion } from '../store/duckdb.ts';
import type { Hardware } from '../store/manifest.ts';

/** The folder that holds package.json: the project, or the packaged app's archive. */
export function projectFolder(moduleUrl: string): string {
  let folder = dirname(fileURLToPath(moduleUrl));
  while (!existsSync(join(folder, 'package.json'))) {
    const above = dirname(folder);
    if (above === folder) return dirname(fileURLToPath(moduleUrl));
    folder = above;
  }
  return folder;
}

export function dynoVersion(project: string): string {
  try {
    const document: unknown = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
    if (typeof document === 'object' && document !== null && 'version' in document)
      return String(document.version);
  } catch {
    // Fall through: without its package.json it has no version.
  }
  return 'unknown';
}

/** The commit that is checked out, read without git; absent outside a clone. */
export function gitCommit(project: string): string | undefined {
  try {
    const git = join(project, '.git');
    const head = readFileSync(join(git, 'HEAD'), 'utf8').trim();
    if (!head.startsWith('ref: ')) return /^[0-9a-f]{40,64}$/.test(head) ? head : undefined;
    const name = head.slice(5);
    if (existsSync(join(git, name))) return readFileSync(join(git, name), 'utf8').trim();
    const packed = readFileSync(join(git, 'packed-refs'), 'utf8').split('\n');
    return packed.find((line) => line.endsWith(` ${name}`))?.split(' ')[0];
  } catch {
    return undefined;
  }
}

export async function versionsOf(project: string): Promise<Record<string, string>> {
  const { node, v8, electron } = process.versions;
  return {
    dyno: dynoVersion(project),
    node,
    v8,
    ...(electron === undefined ? {} : { electron }),
    duckdb: (await duckdbVersion()).replace(/^v/, ''),
  };
}

export function hardwareOf(gpus: Hardware['gpus']): Hardware {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memory_bytes: totalmem(),
    gpus: [...gpus],
  };
}
