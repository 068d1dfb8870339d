import { existsSync, readFileSync, statSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
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

/** The commit that is checked out, in a clone or a work tree of one, read without git; absent elsewhere. */
export function gitCommit(project: string): string | undefined {
  try {
    const git = gitFolder(join(project, '.git'));
    const head = readFileSync(join(git, 'HEAD'), 'utf8').trim();
    if (!head.startsWith('ref: ')) return /^[0-9a-f]{40,64}$/.test(head) ? head : undefined;
    const name = head.slice(5);
    // Branches of a work tree lie in the clone that it belongs to.
    const common = join(git, 'commondir');
    const refs = existsSync(common) ? resolve(git, readFileSync(common, 'utf8').trim()) : git;
    if (existsSync(join(refs, name))) return readFileSync(join(refs, name), 'utf8').trim();
    const packed = readFileSync(join(refs, 'packed-refs'), 'utf8').split('\n');
    return packed.find((line) => line.endsWith(` ${name}`))?.split(' ')[0];
  } catch {
    return undefined;
  }
}

/** In a work tree `.git` is a file that names the folder. */
function gitFolder(git: string): string {
  if (!statSync(git).isFile()) return git;
  const [, folder = ''] = /^gitdir: (.+)$/m.exec(readFileSync(git, 'utf8')) ?? [];
  return resolve(dirname(git), folder.trim());
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
