import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InputError } from '../../../workloads/run/inputError.ts';
import {
  mostNoteLength,
  mostTagLength,
  mostTags,
  mostTitleLength,
  type RunInfo,
} from '../../contract/protocol.ts';
import { withKind } from '../../shared/kinds/runKinds.ts';
import { fileReason } from '../../shared/openFile.ts';
import { writerOf } from './bundleLock.ts';
import { liveName } from './bundleWriter.ts';
import { IndexFile, type IndexLine } from './indexFile.ts';
import { type Manifest, ManifestError, manifestName, readManifest, summaryName } from './manifest.ts';
import { readText } from './readText.ts';
import { isRunId } from './runsFolder.ts';
import { settingsOf } from './settingsOf.ts';

export interface Entry {
  readonly info: RunInfo;
  readonly manifest: Manifest;
}

export interface Unreadable {
  readonly folder: string;
  readonly reason: string;
}

export interface RunListing {
  readonly runs: readonly RunInfo[];
  readonly unreadable: readonly Unreadable[];
}

/** What changed since a listing; `isWhole`: everything, since nothing is known of that listing. */
export interface RunChanges extends RunListing {
  readonly revision: string;
  readonly isWhole: boolean;
  /** Runs that are no longer there. */
  readonly removed: readonly string[];
}

interface Known {
  readonly line: IndexLine;
  /** Number of the change that brought it. */
  readonly change: number;
}

/**
 * The history: one line per bundle folder, read again only when its manifest changed. Between processes the lines are kept in
 * a file beside the bundles (`IndexFile`), which may be deleted at any time: the folders are the only truth.
 */
export class RunIndex {
  private readonly runs: string;
  private readonly file: IndexFile;
  private readonly known = new Map<string, Known>();
  /** Manifests of the runs that were asked for lately. */
  private readonly opened = new Map<string, { readonly stamp: string; readonly entry: Entry }>();
  private readonly removed = new Map<string, number>();
  /** Revisions of another index mean nothing here. */
  private readonly epoch = randomUUID();
  private change = 0;
  private failure: Unreadable | undefined;
  private scanning: Promise<void> | undefined;
  private next: Promise<void> | undefined;
  /** The first listing after the look for what was left behind need not look at each folder once more. */
  private freshUntil = 0;

  constructor(runs: string) {
    this.runs = runs;
    this.file = new IndexFile(runs);
  }

  /** Everything, the latest first. */
  async list(): Promise<RunListing> {
    await this.scan();
    return this.since(0);
  }

  /** What is new since the listing of that revision. */
  async changes(revision: string | undefined): Promise<RunChanges> {
    if (performance.now() > this.freshUntil) await this.scan();
    this.freshUntil = 0;
    const [epoch, change] = (revision ?? '').split('/');
    const isWhole = epoch !== this.epoch;
    const after = isWhole ? 0 : Number(change);
    return {
      ...this.since(after),
      revision: `${this.epoch}/${this.change}`,
      isWhole,
      removed: isWhole ? [] : [...this.removed].flatMap(([run, at]) => (at > after ? [run] : [])),
    };
  }

  /** Folders of bundles whose host died. */
  async leftBehind(): Promise<string[]> {
    await this.scan();
    const folders: string[] = [];
    for (const [name, { line }] of this.known) {
      const folder = join(this.runs, name);
      if ('info' in line && line.isOpen && writerOf(folder) === undefined && isRunId(name))
        folders.push(folder);
    }
    if (folders.length === 0) this.freshUntil = performance.now() + freshMs;
    return folders.sort();
  }

  /** A bundle as it is on disk now. */
  async entry(name: string): Promise<Entry | { readonly reason: string }> {
    const folder = join(this.runs, name);
    const stamp = `${stampOf(join(folder, manifestName))} ${stampOf(join(folder, summaryName))}`;
    const before = this.opened.get(name);
    if (before?.stamp === stamp) return before.entry;
    const entry = await readEntry(folder);
    // Whether a run that goes on still has its writer is asked each time.
    if ('reason' in entry || entry.manifest.status === 'running') return entry;
    this.opened.set(name, { stamp, entry });
    for (const oldest of this.opened.keys()) {
      if (this.opened.size <= mostOpened) break;
      this.opened.delete(oldest);
    }
    return entry;
  }

  /** Writes down what was learned. */
  save(): Promise<void> {
    return this.file.save(() => [...this.known].map(([name, { line }]) => [name, line] as const));
  }

  private since(after: number): RunListing {
    const runs: RunInfo[] = [];
    const unreadable: Unreadable[] = this.failure === undefined ? [] : [this.failure];
    for (const [name, { line, change }] of this.known) {
      // There are few of them, and each listing has them all.
      if ('reason' in line) unreadable.push({ folder: join(this.runs, name), reason: line.reason });
      else if (change > after) runs.push(line.info);
    }
    runs.sort((a, b) => (a.started < b.started ? 1 : a.started > b.started ? -1 : 0));
    return { runs, unreadable };
  }

  /** A caller that asks during a scan gets the result of the next scan: this one may already have passed a folder that changed since. */
  private scan(): Promise<void> {
    if (this.scanning === undefined) {
      this.scanning = this.scanNow().finally(() => {
        this.scanning = undefined;
      });
      return this.scanning;
    }
    this.next ??= this.scanning.then(() => {
      this.next = undefined;
      return this.scan();
    });
    return this.next;
  }

  private async scanNow(): Promise<void> {
    if (this.change === 0)
      for (const [name, line] of await this.file.load()) this.known.set(name, { line, change: 0 });
    let names: string[];
    try {
      names = (await readdir(this.runs, { withFileTypes: true }))
        .filter((entry) => !entry.isFile() && !entry.name.startsWith('.'))
        .map((entry) => entry.name);
      this.failure = undefined;
    } catch (thrown) {
      names = [];
      const isAbsent = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
      this.failure = isAbsent ? undefined : { folder: this.runs, reason: fileReason(thrown) };
    }
    const change = this.change + 1;
    const there = new Set(names);
    for (const name of this.known.keys()) {
      if (there.has(name)) continue;
      this.known.delete(name);
      this.removed.set(name, change);
      this.file.note();
    }
    const wanted: { readonly name: string; readonly stamp: string }[] = [];
    let begin = performance.now();
    for (const name of names) {
      const stamp = stampOf(join(this.runs, name, manifestName));
      const before = this.known.get(name);
      if (before === undefined || before.line.stamp !== stamp) wanted.push({ name, stamp });
      else if ('info' in before.line && before.line.isOpen) wanted.push({ name, stamp });
      else if (before.change === 0) this.known.set(name, { line: before.line, change });
      if (performance.now() - begin < sliceMs) continue;
      await new Promise((resolve) => setImmediate(resolve));
      begin = performance.now();
    }
    for (let start = 0; start < wanted.length; start += readAtOnce) {
      const some = wanted.slice(start, start + readAtOnce);
      const lines = await Promise.all(some.map(({ name, stamp }) => readLine(join(this.runs, name), stamp)));
      for (const [i, line] of lines.entries()) {
        const { name } = some[i] ?? { name: '' };
        const before = this.known.get(name)?.line;
        if (before !== undefined && JSON.stringify(before) === JSON.stringify(line)) continue;
        this.known.set(name, { line, change });
        this.removed.delete(name);
        this.file.note();
      }
    }
    this.change = change;
    // Most of a large folder was new: the next process need not read it again.
    if (this.file.isWorthSaving) await this.save();
  }
}

/** Longest stretch of looking at folders before other work of this process gets its turn. */
const sliceMs = 6;
const readAtOnce = 16;
const freshMs = 50;
const mostOpened = 50;

/** A stamp that differs between versions of a file; the reason why there is none if the file is absent. */
function stampOf(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${mtimeMs}/${size}/${ino}`;
  } catch (thrown) {
    return fileReason(thrown);
  }
}

async function readLine(folder: string, stamp: string): Promise<IndexLine> {
  const entry = await readEntry(folder);
  if ('reason' in entry) return { stamp, reason: entry.reason };
  const isOpen = entry.manifest.status === 'running' || existsSync(join(folder, liveName));
  return { stamp, info: entry.info, isOpen };
}

export async function readEntry(folder: string): Promise<Entry | { readonly reason: string }> {
  try {
    const manifest = await readManifest(folder);
    const summary = await readSummary(folder);
    return { manifest, info: infoOf(folder, manifest, summary) };
  } catch (thrown) {
    if (thrown instanceof ManifestError || thrown instanceof InputError) return { reason: thrown.message };
    const reason = fileReason(thrown);
    return { reason: reason === 'no such file' ? `no ${manifestName}: not a run bundle` : reason };
  }
}

/** A summary of Dyno has at most some hundred kilobytes. */
const mostSummaryBytes = 64 * 1024 * 1024;

/**
 * summary.json; undefined where there is none: a run in progress has none, an interrupted one may lack it. Throws InputError
 * where there is one that cannot be read.
 */
export async function readSummary(folder: string): Promise<object | undefined> {
  const path = join(folder, summaryName);
  let document: unknown;
  try {
    document = JSON.parse(await readText(path, mostSummaryBytes));
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined;
    throw new InputError(
      `${summaryName}: damaged: ${thrown instanceof SyntaxError ? 'it is not JSON' : fileReason(thrown)}`,
    );
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new InputError(`${summaryName}: damaged: it is not an object`);
  return document;
}

/** Throws InputError where a part of the summary is not what it should be. */
function infoOf(folder: string, manifest: Manifest, summary: object | undefined): RunInfo {
  const isDead = manifest.status === 'running' && writerOf(folder) === undefined;
  const files = Object.values(manifest.files);
  const kind = withKind(manifest.spec, ({ id, headline }) => ({ id, headline }));
  return {
    run: basename(folder),
    group: manifest.group,
    target: manifest.spec.target,
    title: manifest.title.slice(0, mostTitleLength),
    variant: manifest.spec.variant,
    kind: kind.id,
    engine: manifest.spec.engine,
    status: isDead ? 'interrupted' : manifest.status,
    started: manifest.started,
    ...(manifest.wall_s === undefined ? {} : { wall_s: manifest.wall_s }),
    ...(summary === undefined ? { headline: {} } : kind.headline(summary)),
    settings: settingsOf(manifest.spec),
    ...(manifest.error === undefined ? {} : { error: manifest.error }),
    tags: manifest.tags.slice(0, mostTags).map((tag) => tag.slice(0, mostTagLength)),
    note: manifest.note.slice(0, mostNoteLength),
    folder,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  };
}
