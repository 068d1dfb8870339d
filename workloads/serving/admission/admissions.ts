import type { AdmissionKind } from './admission.ts';
import { asPublished } from './asPublished.ts';
import { earlyRejection } from './earlyRejection.ts';
import { lateRejection } from './lateRejection.ts';
import { none } from './none.ts';
import { predictedRejection } from './predictedRejection.ts';
import { sloTiers } from './sloTiers.ts';

/** Every admission policy, once: form, command line, run spec and tests iterate over this list. */
export const admissions: readonly AdmissionKind[] = [
  none,
  sloTiers,
  lateRejection,
  earlyRejection,
  predictedRejection,
  asPublished,
];

export const findAdmission = (id: string): AdmissionKind | undefined =>
  admissions.find((admission) => admission.id === id);
