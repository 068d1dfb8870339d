import { resolve } from 'node:path';

/** Paths that a dialog of this session gave: the page may write only there. Each grant serves until the window closes. */
export class GrantedPaths {
  private readonly paths = new Set<string>();

  grant(path: string): string {
    const absolute = resolve(path);
    this.paths.add(absolute);
    return absolute;
  }

  /** @throws where no dialog gave this path */
  require(path: string): string {
    const absolute = resolve(path);
    if (!this.paths.has(absolute)) throw new Error(`${path}: refused, no save dialog gave this path`);
    return absolute;
  }
}
