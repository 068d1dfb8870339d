import { freemem, totalmem } from 'node:os';
import type { Bytes } from '../../../../workloads/units.ts';
import { type Machine, readSmall } from './machine.ts';

/** Memory of the machine, or of the container where that gives less (cgroup v2, v1). */
export function memoryOf({ procfs, sysfs }: Pick<Machine, 'procfs' | 'sysfs'>): {
  readonly total: Bytes;
  readonly available: Bytes;
} {
  const info = readSmall(procfs, 'meminfo') ?? '';
  const kib = (name: string): Bytes | undefined => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(info)?.[1];
    return found === undefined ? undefined : Number(found) * 1024;
  };
  const total = kib('MemTotal') ?? totalmem();
  const available = kib('MemAvailable') ?? freemem();
  const limit = firstNumber(sysfs, 'fs/cgroup/memory.max', 'fs/cgroup/memory/memory.limit_in_bytes');
  if (limit === undefined || limit >= total) return { total, available };
  const used = firstNumber(sysfs, 'fs/cgroup/memory.current', 'fs/cgroup/memory/memory.usage_in_bytes') ?? 0;
  return { total: limit, available: Math.max(0, Math.min(available, limit - used)) };
}

/** Of the first file that holds a number; `max` is none. */
function firstNumber(root: string, ...paths: readonly string[]): number | undefined {
  for (const path of paths) {
    const text = readSmall(root, path);
    if (text !== undefined && /^\d+$/.test(text)) return Number(text);
  }
  return undefined;
}
