import type { AdmissionKind } from './admission.ts';

export const none: AdmissionKind = {
  id: 'none',
  label: 'Everyone',
  help: 'Lets every request in. Tiers and load are still counted, so that the policies have something to be compared with.',
  parameters: [],
  reasons: [],
  create: () => ({ decide: () => undefined }),
};
