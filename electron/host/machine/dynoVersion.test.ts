import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gitCommit } from './dynoVersion.ts';

const commit = 'a'.repeat(40);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-commit-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

describe('the commit that is checked out', () => {
  it('of a clone: by its branch, packed or not, or by itself', () => {
    write('.git/HEAD', 'ref: refs/heads/main\n');
    write('.git/packed-refs', `${commit} refs/heads/main\n`);
    expect(gitCommit(folder)).toBe(commit);
    write('.git/refs/heads/main', `${'b'.repeat(40)}\n`);
    expect(gitCommit(folder)).toBe('b'.repeat(40));
    write('.git/HEAD', `${commit}\n`);
    expect(gitCommit(folder)).toBe(commit);
  });

  it('of a work tree: its own branch in the clone that it belongs to', () => {
    write('clone/.git/worktrees/tree/HEAD', 'ref: refs/heads/side\n');
    write('clone/.git/worktrees/tree/commondir', '../..\n');
    write('clone/.git/refs/heads/side', `${commit}\n`);
    write('tree/.git', `gitdir: ${join(folder, 'clone/.git/worktrees/tree')}\n`);
    expect(gitCommit(join(folder, 'tree'))).toBe(commit);
  });

  it('is absent where there is no clone', () => {
    expect(gitCommit(folder)).toBeUndefined();
  });
});
