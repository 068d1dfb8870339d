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
const version = 4;
const name = '.index.json';
const mostBytes = 256 * 1024 * 1024;
/** So many lines that were not in the file are worth writing it again. */
const worthSaving = 64;

type Settings = RunInfo['settings'];
/** A line as the file has it: its settings by their place in the table, its folder by its name. */
type StoredLine =
  | {
      readonly stamp: string;
      readonly info: Omit<RunInfo, 'settings' | 'folder'> & { readonly settings: number };
      readonly isOpen: boolean;
    }
  | { readonly stamp: string; readonly reason: string };
interface Body {
  /** Most runs have the settings of another one: each is written, and kept in memory, once. */
  readonly settings: readonly Settings[];
  readonly lines: readonly (readonly [string, StoredLine])[];
}

/**
 * The lines of the history between processes: `{version, sha256}` on the first line, the entries on the second. Whatever is
 * wrong with the file (absent, torn, of another version), the folders are read instead.
 */
export class IndexFile {
  private readonly runs: string;
  private readonly path: string;
  private unsaved = 0;

  constructor(runs: string) {
    this.runs = runs;
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
      return this.lines(JSON.parse(body.toString('utf8')) as Body);
    } catch {
      // The folders are read instead.
      return [];
    }
  }

  async save(lines: () => readonly (readonly [string, IndexLine])[]): Promise<void> {
    if (this.unsaved === 0) return;
    this.unsaved = 0;
    const body = Buffer.from(JSON.stringify(bodyOf(lines())));
    const head = JSON.stringify({ version, sha256: digestOf(body) });
    try {
      await writeAtomically(this.path, Buffer.concat([Buffer.from(`${head}\n`), body]));
    } catch {
      // A read-only or full disk: the next process reads the folders again.
    }
  }

  private lines({ settings, lines }: Body): (readonly [string, IndexLine])[] {
    return lines.map(([run, line]) => {
      if ('reason' in line) return [run, line];
      const known = settings[line.info.settings] ?? {};
      const info: RunInfo = { ...line.info, settings: known, folder: join(this.runs, run) };
      return [run, { stamp: line.stamp, info, isOpen: line.isOpen }];
    });
  }
}

function bodyOf(lines: readonly (readonly [string, IndexLine])[]): Body {
  const settings: Settings[] = [];
  const places = new Map<Settings | string, number>();
  const placeOf = (each: Settings): number => {
    // What came from the file is one object for many lines; only what is new has to be compared.
    const text = places.has(each) ? '' : JSON.stringify(each);
    const place = places.get(each) ?? places.get(text) ?? settings.push(each) - 1;
    places.set(each, place);
    if (text !== '') places.set(text, place);
    return place;
  };
  return {
    settings,
    lines: lines.map(([run, line]) => {
      if ('reason' in line) return [run, line];
      const { settings: own, folder: _folder, ...info } = line.info;
      return [run, { stamp: line.stamp, info: { ...info, settings: placeOf(own) }, isOpen: line.isOpen }];
    }),
  };
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
