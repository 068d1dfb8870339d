import { resolve } from 'node:path';
import { RunFailure } from '../shared/runFailure.ts';

/** Which files a client may name. */
export interface Grants {
  /** The absolute path of a file that is to be read. Rejects with RunFailure where it was not granted. */
  read(path: string): Promise<string>;
  /** The absolute path behind a grant to write. Rejects with RunFailure where there is none. */
  write(grant: string): Promise<string>;
}

/** The command line may use every path: its user typed them. */
export const everyPath: Grants = {
  read: (path) => Promise.resolve(resolve(path)),
  write: (path) => Promise.resolve(resolve(path)),
};

/** Main's message when a dialog was answered or a file was dropped on the window. */
export type Grant =
  | { readonly kind: 'grant'; readonly access: 'read'; readonly path: string }
  | { readonly kind: 'grant'; readonly access: 'write'; readonly grant: string; readonly path: string };

export function isGrant(message: unknown): message is Grant {
  if (typeof message !== 'object' || message === null || !('kind' in message) || message.kind !== 'grant')
    return false;
  if (!('path' in message) || typeof message.path !== 'string' || !('access' in message)) return false;
  return (
    message.access === 'read' ||
    (message.access === 'write' && 'grant' in message && typeof message.grant === 'string')
  );
}

const mostGrants = 10_000;

/**
 * A window names no file of its own: what it reads, the user chose in a dialog, dropped on it, or used in a run that is in the
 * history; what it writes, it names by a grant that only main can make.
 */
export class WindowGrants implements Grants {
  private readonly readable = new Set<string>();
  private readonly writable = new Map<string, string>();
  private readonly waiting = new Set<() => void>();

  admit(grant: Grant): void {
    if (grant.access === 'write') this.writable.set(grant.grant, resolve(grant.path));
    else this.admitReading(grant.path);
    for (const look of this.waiting) look();
    for (const oldest of this.writable.keys()) {
      if (this.writable.size <= mostGrants) break;
      this.writable.delete(oldest);
    }
  }

  /** Whether it is granted, now or in a moment. */
  private admitted(test: () => boolean): Promise<boolean> {
    if (test()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (isGranted: boolean) => {
        clearTimeout(timer);
        this.waiting.delete(look);
        resolve(isGranted);
      };
      const look = () => {
        if (test()) end(true);
      };
      const timer = setTimeout(() => end(false), patienceMs);
      this.waiting.add(look);
    });
  }

  admitReading(path: string): void {
    if (this.readable.size < mostGrants) this.readable.add(resolve(path));
  }

  async read(path: string): Promise<string> {
    const absolute = resolve(path);
    if (await this.admitted(() => this.readable.has(absolute))) return absolute;
    throw new RunFailure({
      code: 'bad_input',
      message: `${path}: refused, it was not opened in this window`,
      hint: 'Choose it with Open, or drop it on the window.',
    });
  }

  async write(grant: string): Promise<string> {
    if (isGrantText(grant)) await this.admitted(() => this.writable.has(grant));
    const path = this.writable.get(grant);
    if (path !== undefined) return path;
    throw new RunFailure({
      code: 'bad_input',
      message: 'refused: no save dialog of this window gave that path',
    });
  }
}

/** Main and the window speak to the host on channels of their own: the window's word may be the faster one. */
const patienceMs = 300;
const isGrantText = (text: string): boolean => /^grant-[0-9a-f]{32}$/.test(text);

/** Every file that a spec names: a recorded trace, the folder of operator tables. */
export function filesOf(spec: unknown): string[] {
  const files: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || isFolderOfKnownNames(value)) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === 'path' && typeof inner === 'string') files.push(inner);
      else walk(inner);
    }
  };
  walk(spec);
  return files;
}

/**
 * Folders that a person may type: of operator tables and of weights only files of fixed names and checked contents are read
 * (op-*.csv; config.json, *.safetensors), so they give away nothing else.
 */
const isFolderOfKnownNames = (value: object): boolean =>
  'kind' in value && (value.kind === 'operators' || value.kind === 'files');
