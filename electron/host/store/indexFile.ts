import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { RunInfo } from '../../contract/protocol.ts';
import { writeAtomically } from './atomicFile.ts';
import { readBytes } from './readText.ts';

/** What the history shows of one bundle, and the stamp of the manifest that it was read from. */
export type IndexLine =
  | {
      readonly stamp: string;
      readonly info: RunInfo;
      /** Not sealed yet, or its database is still there. */
      readonly isOpen: boolean;
    }
  | { readonly stamp: string; readonly reason: string };

/** Changes when lines are made in another way: a file of another version is left unread. */
const version = 2;
const name = '.index.json';
const mostBytes = 256 * 1024 * 1024;
/** So many lines that were not in the file are worth writing it again. */
const worthSaving = 64;

/**
 * The lines of the history between processes: `{version, sha256}` on the first line, the entries on the second. Whatever is
 * wrong with the file (absent, torn, of another version), the folders are read instead.
 */
export class IndexFile {
  private readonly path: string;
  private unsaved = 0;

  constructor(runs: string) {
    this.path = join(runs, name);
  }

  /** A line was learned or forgotten. */
  note(): void {
    this.unsaved++;
  }

  get isWorthSaving(): boolean {
    return this.unsaved >= worthSaving;
  }

  async load(): Promise<readonly (readonly [string, IndexLine])[]> {
    try {
      const bytes = await readBytes(this.path, mostBytes);
      const end = bytes.indexOf(10);
      const head: unknown = JSON.parse(bytes.toString('utf8', 0, end));
      const body = bytes.subarray(end + 1);
      if (typeof head !== 'object' || head === null || !('sha256' in head) || !('version' in head)) return [];
      if (head.version !== version || head.sha256 !== digestOf(body)) return [];
      // Its digest says that Dyno wrote it.
      return JSON.parse(body.toString('utf8')) as [string, IndexLine][];
    } catch {
      // The folders are read instead.
      return [];
    }
  }

  async save(lines: () => readonly (readonly [string, IndexLine])[]): Promise<void> {
    if (this.unsaved === 0) return;
    this.unsaved = 0;
    const body = Buffer.from(JSON.stringify(lines()));
    const head = JSON.stringify({ version, sha256: digestOf(body) });
    try {
      await writeAtomically(this.path, Buffer.concat([Buffer.from(`${head}\n`), body]));
    } catch {
      // A read-only or full disk: the next process reads the folders again.
    }
  }
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
