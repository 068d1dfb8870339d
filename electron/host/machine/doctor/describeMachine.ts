import { cpus } from 'node:os';
import type { MachineDescription } from '../../../contract/machine.ts';
import type { DoctorDeps } from './doctorDeps.ts';
import { before } from './finding.ts';
import { plainly, probeGpus } from './gpuProbe.ts';
import { machineOf } from './machine.ts';
import { memoryOf } from './memory.ts';
import { findElectron } from './windowChecks.ts';

/** The machine in a few lines, for the window's status strip and for manifests. Ends within 3 s whatever hangs. */
export async function describeMachine(deps: DoctorDeps): Promise<MachineDescription> {
  const machine = machineOf(deps);
  const hung = `The NVIDIA driver has not answered within ${machine.limitMs / 1000} s.`;
  const answer = await before(machine.limitMs, probeGpus(machine, { asksMetrics: false }).list, () => ({
    ok: false as const,
    error: { code: 'DRIVER_HUNG', message: hung, hint: '' },
  }));
  const list = answer.ok ? answer.value : undefined;
  const gpus = (list?.gpus ?? []).filter((gpu) => gpu.refused === undefined);
  const reason = answer.ok
    ? (list?.gpus[0]?.refused ?? 'the driver lists no GPU')
    : `${answer.error.code === 'LIBRARY_NOT_FOUND' ? 'no NVIDIA driver: ' : ''}${plainly(answer.error.message)}`;
  const versions: Record<string, string> = { dyno: machine.version, node: process.versions.node };
  const add = (name: string, version: string | undefined) => {
    if (version !== undefined) versions[name] = version;
  };
  add('electron', findElectron(machine)?.version);
  add('chrome', process.versions['chrome']);
  add('driver', list?.driver);
  add('cuda', list?.cuda);
  return {
    gpus: gpus.map((gpu) => ({
      index: gpu.index,
      name: gpu.name ?? 'unnamed GPU',
      ...(gpu.memoryBytes === undefined ? {} : { memory_bytes: gpu.memoryBytes }),
    })),
    ...(gpus.length === 0 ? { gpu_absent_reason: reason } : {}),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory_bytes: memoryOf(machine).total,
    versions,
    runs_folder: machine.runsFolder,
  };
}
