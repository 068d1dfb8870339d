import { cpus, totalmem } from 'node:os';
import type { MachineDescription } from '../../contract/protocol.ts';
import type { DoctorDeps } from './doctorDeps.ts';

/** The machine in a few lines, for the window's status strip and for manifests. */
export function describeMachine(deps: DoctorDeps): Promise<MachineDescription> {
  return Promise.resolve({
    gpus: [],
    gpu_absent_reason: 'not looked for yet',
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory_bytes: totalmem(),
    versions: { dyno: deps.version, node: process.versions.node },
    runs_folder: deps.runsFolder,
  });
}
