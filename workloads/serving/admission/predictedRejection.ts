import type { Telemetry, VisibleRequest } from '../../routing/router.ts';
import type { Fraction, Ns, Tokens } from '../../units.ts';
import type { AdmissionKind, Passage, Refusal } from './admission.ts';
import { decodeTimeParameter } from './decodeTime.ts';
import { LoadRejection, loadReasons, loadThreshold } from './loadRejection.ts';

interface Start {
  readonly at: Ns;
  readonly promptTokens: Tokens;
}

/**
 * Early rejection by predicted load (Mooncake, system-level): the decode load at the time t when this request's prefill will
 * end, if every request decodes for the same time t_d. What decodes now is known; what changes until t is predicted:
 *
 *          now ──────────────── t
 *   + in prefill, ends by t (and would still decode at t)     ─────┤▒▒▒▒▒▒▒
 *   − began to decode between now − t_d and t − t_d           ▒▒▒▒▒▒▒▒▒▒┤
 *
 * A request that ended early still counts among those that leave, for one that outlasts t_d and never does: so the forecast
 * neither creeps up nor down where answers differ in length.
 */
class PredictedRejection extends LoadRejection {
  /** Let in, first token not yet seen: when it is expected. */
  private readonly prefilling = new Map<number, Start>();
  /** When the latest requests began to decode, in about that order; those older than t_d are dropped. */
  private readonly starts: Start[] = [];
  private dropped = 0;
  private decoding = 0;
  /** Expected end of the prefill of the request that was last decided about. */
  private decidedNs: Ns = 0;

  decide(request: VisibleRequest, _tier: number, telemetry: Telemetry): Refusal | undefined {
    const ttft = this.loads.ttftNsOf(request, telemetry);
    this.decidedNs = request.nowNs + ttft;
    return (
      this.overPrefill(ttft) ??
      this.overDecode(this.predicted(request.nowNs, this.decidedNs, request.promptTokens, telemetry))
    );
  }

  admitted({ request, promptTokens }: Passage): void {
    this.prefilling.set(request, { at: this.decidedNs, promptTokens });
  }

  override firstToken(passage: Passage): void {
    super.firstToken(passage);
    this.prefilling.delete(passage.request);
    this.decoding++;
    this.starts.push({ at: passage.at, promptTokens: passage.promptTokens });
  }

  override left(passage: Passage, generated: Tokens): void {
    if (this.decodeTime.start(passage.request) !== undefined) this.decoding--;
    else this.prefilling.delete(passage.request);
    super.left(passage, generated);
  }

  /** Decode load at t, with one more request of this length. */
  private predicted(nowNs: Ns, t: Ns, promptTokens: Tokens, telemetry: Telemetry): Fraction {
    const { ns: decodeNs, tokens } = this.decodeTime;
    let sequences = this.decoding + 1;
    // On the average a sequence has produced half of its answer; when it leaves, all of it.
    let context = this.decoding * this.meanContext(telemetry, promptTokens + tokens / 2) + promptTokens;
    for (const { at, promptTokens: prompt } of this.prefilling.values()) {
      // A prefill that is late ends now at the earliest.
      const start = Math.max(at, nowNs);
      if (start > t || start + decodeNs <= t) continue;
      sequences++;
      context += prompt + tokens / 2;
    }
    this.forget(nowNs - decodeNs);
    for (let k = this.dropped; k < this.starts.length; k++) {
      const { at, promptTokens: prompt } = this.starts[k] ?? { at: t, promptTokens: 0 };
      if (at + decodeNs > t) continue;
      sequences--;
      context -= prompt + tokens;
    }
    return this.loads.decodeWith(telemetry, sequences, Math.max(0, context));
  }

  private meanContext(telemetry: Telemetry, otherwise: Tokens): Tokens {
    let sequences = 0;
    let context = 0;
    for (const i of this.loads.decoders) {
      sequences += telemetry.decoding[i] ?? 0;
      context += telemetry.decodeContext[i] ?? 0;
    }
    return sequences > 0 ? context / sequences : otherwise;
  }

  private forget(before: Ns): void {
    while (this.dropped < this.starts.length && (this.starts[this.dropped]?.at ?? 0) <= before)
      this.dropped++;
    if (this.dropped < 1024 || 2 * this.dropped < this.starts.length) return;
    this.starts.splice(0, this.dropped);
    this.dropped = 0;
  }
}

export const predictedRejection: AdmissionKind = {
  id: 'predicted_rejection',
  label: 'Early rejection by prediction (Mooncake)',
  help: 'Refuses at arrival by the decode load expected when the request’s prefill ends: prefills that end by then come on top, sequences that will have decoded for the usual time go.',
  parameters: [loadThreshold, decodeTimeParameter],
  reasons: loadReasons,
  create: (context) => new PredictedRejection(context),
};
