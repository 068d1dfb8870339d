import type { DoctorCheck } from '../../../contract/machine.ts';
import type { DoctorDeps } from './doctorDeps.ts';
import { report } from './finding.ts';
import { gpuChecks } from './gpuChecks.ts';
import { probeGpus } from './gpuProbe.ts';
import { hostChecks } from './hostChecks.ts';
import { machineOf } from './machine.ts';
import { toolChecks } from './toolChecks.ts';
import { windowChecks } from './windowChecks.ts';

/** Checks the features of this machine and says how to get the missing ones. Ends within 3 s even if a driver or tool hangs. */
export function checkDoctor(deps: DoctorDeps): Promise<readonly DoctorCheck[]> {
  const machine = machineOf(deps);
  const checks = [
    ...hostChecks(machine),
    ...windowChecks(machine),
    ...gpuChecks(machine, probeGpus(machine)),
    ...toolChecks(machine),
  ];
  // Together, and each a little before the end, so that the slowest does not carry the others past it.
  return Promise.all(checks.map((check) => report(check, machine.limitMs * 0.85)));
}
