import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';

const most = 200;

/** Files that the user opened, also in earlier sessions: a form that names one of them works again after a restart. */
export class ReadableFiles {
  private readonly file: string;
  private paths: string[];

  constructor(file: string) {
    this.file = file;
    this.paths = read(file);
  }

  get all(): readonly string[] {
    return this.paths;
  }

  add(path: string): void {
    if (this.paths.at(-1) === path) return;
    this.paths = [...this.paths.filter((known) => known !== path), path].slice(-most);
    try {
      writeFileSync(`${this.file}.tmp`, JSON.stringify(this.paths));
      renameSync(`${this.file}.tmp`, this.file);
    } catch {
      // Known until Dyno ends; after that the file is chosen again.
    }
  }
}

function read(file: string): string[] {
  try {
    const document: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (!Array.isArray(document)) return [];
    return document
      .filter((path): path is string => typeof path === 'string' && isAbsolute(path))
      .slice(-most);
  } catch {
    // The first start, or a file that is not ours: nothing was opened yet.
    return [];
  }
}
