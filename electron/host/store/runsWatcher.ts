import { type FSWatcher, mkdirSync, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { writerOf } from './bundleLock.ts';
import { manifestName } from './manifest.ts';

/** Several changes within this time are told once: a bundle is made and sealed in many small steps. */
const settleMs = 250;

/**
 * Notices what other processes do in the runs folder: a command line beside the window starts, ends, copies or deletes a run.
 *
 *   runs/            a folder comes or goes        ─► onChange
 *   runs/<foreign>/  its manifest is written again ─► onChange     (watched only while another process writes it)
 */
export class RunsWatcher {
  private readonly runs: string;
  private readonly isOwn: (name: string) => boolean;
  private readonly onChange: () => void;
  private root: FSWatcher | undefined;
  private readonly foreign = new Map<string, FSWatcher>();
  private known = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private isChanged = false;

  constructor(runs: string, isOwn: (name: string) => boolean, onChange: () => void) {
    this.runs = runs;
    this.isOwn = isOwn;
    this.onChange = onChange;
  }

  /** Without the right to watch (a foreign file system, no inotify left) the list is refreshed as before: by what this host does. */
  start(): void {
    try {
      mkdirSync(this.runs, { recursive: true });
      this.known = new Set(this.names());
      for (const name of this.known) this.follow(name);
      this.root = watch(this.runs, { persistent: false }, () => this.soon());
      this.root.on('error', () => this.close());
    } catch {
      this.close();
    }
  }

  close(): void {
    clearTimeout(this.timer);
    this.root?.close();
    this.root = undefined;
    for (const watcher of this.foreign.values()) watcher.close();
    this.foreign.clear();
  }

  private names(): string[] {
    try {
      return readdirSync(this.runs).filter((name) => !name.startsWith('.'));
    } catch {
      return [];
    }
  }

  private soon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.look();
    }, settleMs);
    this.timer.unref();
  }

  private look(): void {
    const now = new Set(this.names());
    for (const name of now) {
      if (this.known.has(name) || this.isOwn(name)) continue;
      this.isChanged = true;
      this.follow(name);
    }
    for (const name of this.known) {
      if (now.has(name)) continue;
      this.isChanged = true;
      this.unfollow(name);
    }
    this.known = now;
    for (const name of this.foreign.keys())
      if (writerOf(join(this.runs, name)) === undefined) this.unfollow(name);
    if (!this.isChanged) return;
    this.isChanged = false;
    this.onChange();
  }

  /** While another process writes the bundle. */
  private follow(name: string): void {
    const folder = join(this.runs, name);
    const writer = writerOf(folder);
    if (this.foreign.has(name) || writer === undefined || writer === process.pid) return;
    try {
      const watcher = watch(folder, { persistent: false }, (_event, file) => {
        if (file === null || file === manifestName || file === 'writer.lock') {
          this.isChanged = true;
          this.soon();
        }
      });
      watcher.on('error', () => this.unfollow(name));
      this.foreign.set(name, watcher);
    } catch {
      // It went meanwhile.
    }
  }

  private unfollow(name: string): void {
    this.foreign.get(name)?.close();
    this.foreign.delete(name);
  }
}
