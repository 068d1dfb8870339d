import type { Telemetry, VisibleRequest } from '../../routing/router.ts';
import type { AdmissionKind, Refusal } from './admission.ts';
import { LoadRejection, loadReasons, loadThreshold } from './loadRejection.ts';

/**
 * What Mooncake started from: the decode pool says no only when the prompt is already computed, and the prefill was in vain.
 * No request is asked about a second time without a hand-over (mixed instances that keep what they computed), or where the KV cache
 * streams layer by layer and its room was given before.
 */
class LateRejection extends LoadRejection {
  decide(request: VisibleRequest, _tier: number, telemetry: Telemetry): Refusal | undefined {
    return this.overPrefill(this.loads.ttftNsOf(request, telemetry));
  }
  decideDecode(_request: VisibleRequest, _tier: number, telemetry: Telemetry): Refusal | undefined {
    return this.overDecode(this.loads.decode(telemetry));
  }
}

export const lateRejection: AdmissionKind = {
  id: 'late_rejection',
  label: 'Rejection after prefill',
  help: 'Refuses at arrival what the prefill pool could not begin in time; the decode pool is asked when the prompt is computed.',
  parameters: [loadThreshold],
  reasons: loadReasons,
  create: (context) => new LateRejection(context),
};
