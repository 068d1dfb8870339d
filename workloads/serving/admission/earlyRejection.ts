import type { Telemetry, VisibleRequest } from '../../routing/router.ts';
import type { AdmissionKind, Refusal } from './admission.ts';
import { LoadRejection, loadReasons, loadThreshold } from './loadRejection.ts';

/**
 * Mooncake's early rejection: a request is refused at once where the decode pool is loaded *now*. Nothing is computed in vain,
 * but the request would decode only after its prefill, and by then the pool may have emptied, or filled with those that were
 * let in while it was empty. The lag makes both pools swing in antiphase (arXiv 2407.00079, figure 9).
 */
class EarlyRejection extends LoadRejection {
  decide(request: VisibleRequest, _tier: number, telemetry: Telemetry): Refusal | undefined {
    return (
      this.overPrefill(this.loads.ttftNsOf(request, telemetry)) ??
      this.overDecode(this.loads.decode(telemetry))
    );
  }
}

export const earlyRejection: AdmissionKind = {
  id: 'early_rejection',
  label: 'Early rejection (Mooncake)',
  help: 'Refuses at arrival what the prefill pool could not begin in time, and everything while the decode pool is overloaded.',
  parameters: [loadThreshold],
  reasons: loadReasons,
  create: (context) => new EarlyRejection(context),
};
