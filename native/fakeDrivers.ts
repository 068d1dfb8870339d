// For the tests: a private copy of a fake driver with its own script, in a folder that is removed at the end.
import { copyFileSync, existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the build puts the addon and the fake drivers. */
export const nativeBuild = join(import.meta.dirname, 'build');

/** False on a machine without a C++ compiler, whose tests on fake drivers are skipped. */
export const nativeIsBuilt = existsSync(join(nativeBuild, 'dyno.node'));

export interface FakeDriver {
  readonly path: string;
  readonly folder: string;
  /** Replaces what the driver answers, from its next call on: `fake/fake_nvml.cpp` and `fake/fake_cuda.cpp` list the words. */
  script(lines: readonly string[]): void;
  remove(): void;
}

export function fakeDriver(
  name: 'fake_nvml' | 'fake_cuda' | 'fake_cupti' | 'fake_nvrtc' | 'fake_nccl',
  lines: readonly string[] = [],
): FakeDriver {
  const folder = mkdtempSync(join(tmpdir(), 'dyno-fake-'));
  const path = join(folder, `lib${name}.so`);
  copyFileSync(join(nativeBuild, 'fake', `lib${name}.so`), path);
  const script = (next: readonly string[]) => {
    writeFileSync(`${path}.next`, `${next.join('\n')}\n`);
    renameSync(`${path}.next`, `${path}.script`);
  };
  if (lines.length > 0) script(lines);
  return { path, folder, script, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
