import type { MachineDescription } from '../../electron/contract/machine.ts';
import { bytes } from './number.ts';

/** The machine in one line: its GPUs, or why there are none. */
export function machineLine(machine: MachineDescription): string {
  const host = `${machine.cores} cores, ${bytes(machine.memory_bytes)}`;
  const counts = new Map<string, number>();
  for (const gpu of machine.gpus) counts.set(gpu.name, (counts.get(gpu.name) ?? 0) + 1);
  if (counts.size === 0)
    return `no GPU: simulator only${machine.gpu_absent_reason === undefined ? '' : ` (${machine.gpu_absent_reason})`} · ${host}`;
  const gpus = [...counts].map(([name, count]) => (count === 1 ? name : `${name} ×${count}`));
  return `${gpus.join(', ')} · ${host}`;
}
