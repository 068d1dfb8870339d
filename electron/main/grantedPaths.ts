import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';

/**
 * Files that the user chose to write in dialogs of this session. The page gets an unguessable grant for each, not the path:
 * it can write what was chosen, and name nothing else. A grant serves until Dyno ends.
 */
export class GrantedPaths {
  private readonly paths = new Map<string, string>();

  grant(path: string): { readonly grant: string; readonly path: string } {
    const granted = { grant: `grant-${randomBytes(16).toString('hex')}`, path: resolve(path) };
    this.paths.set(granted.grant, granted.path);
    return granted;
  }

  /** @throws where no dialog made this grant */
  require(grant: string): string {
    const path = this.paths.get(grant);
    if (path === undefined) throw new Error('refused, no save dialog gave that path');
    return path;
  }
}
