import { resolve } from 'node:path';
import { RunFailure } from '../shared/runFailure.ts';

/** Which files a client may name. */
export interface Grants {
  /** The absolute path of a file that is to be read. Throws RunFailure where it was not granted. */
  read(path: string): string;
  /** The absolute path behind a grant to write. Throws RunFailure where there is none. */
  write(grant: string): string;
}

/** The command line acts for the person who typed it: every path is theirs. */
export const everyPath: Grants = { read: (path) => resolve(path), write: (path) => resolve(path) };

/** What main says when a dialog was answered or a file was dropped on the window. */
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

  admit(grant: Grant): void {
    if (grant.access === 'write') this.writable.set(grant.grant, resolve(grant.path));
    else this.admitReading(grant.path);
    for (const oldest of this.writable.keys()) {
      if (this.writable.size <= mostGrants) break;
      this.writable.delete(oldest);
    }
  }

  admitReading(path: string): void {
    if (this.readable.size < mostGrants) this.readable.add(resolve(path));
  }

  read(path: string): string {
    const absolute = resolve(path);
    if (this.readable.has(absolute)) return absolute;
    throw new RunFailure({
      code: 'bad_input',
      message: `${path}: refused, it was not opened in this window`,
      hint: 'Choose it with Open, or drop it on the window.',
    });
  }

  write(grant: string): string {
    const path = this.writable.get(grant);
    if (path !== undefined) return path;
    throw new RunFailure({
      code: 'bad_input',
      message: 'refused: no save dialog of this window gave that path',
    });
  }
}

/** Every file that a spec names: a recorded trace, the folder of operator tables. */
export function filesOf(spec: unknown): string[] {
  const files: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === 'path' && typeof inner === 'string') files.push(inner);
      else walk(inner);
    }
  };
  walk(spec);
  return files;
}
