import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Says which process writes a bundle. A process id alone may be reused, so its start time goes with it (clock ticks since
 * boot, Linux; elsewhere only the id counts).
 */
const lockName = 'writer.lock';

interface Lock {
  readonly pid: number;
  readonly start: string;
}

function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the command, may hold spaces and parentheses: count from its end. Field 22 is the start time.
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    return '';
  }
}

/** For a new folder, before it has a manifest. Throws where the folder is another writer's already. */
export function lockBundle(folder: string): void {
  const lock: Lock = { pid: process.pid, start: startOf(process.pid) };
  writeFileSync(join(folder, lockName), `${JSON.stringify(lock)}\n`, { flag: 'wx' });
}

export const unlockBundle = (folder: string): void => rmSync(join(folder, lockName), { force: true });

/** Process id of the live writer of this bundle, or undefined. */
export function writerOf(folder: string): number | undefined {
  let lock: Partial<Lock>;
  try {
    lock = JSON.parse(readFileSync(join(folder, lockName), 'utf8')) as Partial<Lock>;
  } catch {
    return undefined;
  }
  const { pid, start } = lock;
  if (typeof pid !== 'number' || pid <= 0) return undefined;
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EPERM')) return undefined;
  }
  return start === undefined || start === '' || startOf(pid) === start ? pid : undefined;
}
