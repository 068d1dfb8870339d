import type { Telemetry, VisibleRequest } from '../../routing/router.ts';
import type { Fraction, Ns, Tokens } from '../../units.ts';
import type { AdmissionContext, AdmissionKind, Passage, Refusal } from './admission.ts';
import { decodeTimeParameter } from './decodeTime.ts';
import { LoadRejection, loadReasons, loadThreshold } from './loadRejection.ts';

/**
 * Early rejection by predicted load (Mooncake, system-level): the decode load at the time t when this request's prefill will
 * end, if every request decodes for the same time t_d:
 *
 *   now ──────────────── t
 *   in prefill, ends by t            counted        ─────┤▒▒▒▒▒▒▒
 *   decodes since t − t_d or later   counted     ▒▒▒▒▒▒▒▒▒▒▒▒
 *   decodes since before t − t_d     gone     ▒▒▒▒▒▒▒▒▒▒┤
 */
class PredictedRejection extends LoadRejection {
  /** Requests let in and not yet gone: slot of each, and by slot its prompt and when its prefill was expected to end. */
  private readonly slots = new Map<number, number>();
  private requests = new Int32Array(64);
  private prompts = new Float64Array(64);
  private expected = new Float64Array(64);
  private count = 0;
  /** Expected end of the prefill of the request that was last decided about. */
  private decidedNs: Ns = 0;

  constructor(context: AdmissionContext) {
    super(context);
    this.predicted = this.predicted.bind(this);
  }

  decide(request: VisibleRequest, _tier: number, telemetry: Telemetry): Refusal | undefined {
    const ttft = this.loads.ttftNsOf(request, telemetry);
    this.decidedNs = request.nowNs + ttft;
    return (
      this.overPrefill(ttft) ??
      this.overDecode(this.predicted(request.nowNs, this.decidedNs, request.promptTokens, telemetry))
    );
  }

  admitted({ request, promptTokens }: Passage): void {
    if (this.count === this.requests.length) this.grow();
    this.slots.set(request, this.count);
    this.requests[this.count] = request;
    this.prompts[this.count] = promptTokens;
    this.expected[this.count] = this.decidedNs;
    this.count++;
  }

  override firstToken(passage: Passage): void {
    super.firstToken(passage);
    const slot = this.slots.get(passage.request);
    if (slot !== undefined) this.expected[slot] = passage.at;
  }

  override left(passage: Passage, generated: Tokens): void {
    super.left(passage, generated);
    const slot = this.slots.get(passage.request);
    if (slot === undefined) return;
    this.slots.delete(passage.request);
    const last = --this.count;
    if (slot === last) return;
    const moved = this.requests[last] ?? 0;
    this.requests[slot] = moved;
    this.prompts[slot] = this.prompts[last] ?? 0;
    this.expected[slot] = this.expected[last] ?? 0;
    this.slots.set(moved, slot);
  }

  /** Decode load at t, with one more request of this length. */
  private predicted(nowNs: Ns, t: Ns, promptTokens: Tokens, telemetry: Telemetry): Fraction {
    const { decodeTime } = this;
    let sequences = 1;
    let context = promptTokens;
    for (let slot = 0; slot < this.count; slot++) {
      const request = this.requests[slot] ?? 0;
      const expected = this.expected[slot] ?? 0;
      // A prefill that is late ends now at the earliest.
      const start = decodeTime.start(request) ?? Math.max(expected, nowNs);
      if (start > t || start + decodeTime.ns <= t) continue;
      sequences++;
      context += this.prompts[slot] ?? 0;
    }
    // On the average a sequence has produced half of its answer.
    return this.loads.decodeWith(telemetry, sequences, context + (sequences * decodeTime.tokens) / 2);
  }

  private grow(): void {
    const size = this.requests.length * 2;
    const requests = new Int32Array(size);
    requests.set(this.requests);
    this.requests = requests;
    const prompts = new Float64Array(size);
    prompts.set(this.prompts);
    this.prompts = prompts;
    const expected = new Float64Array(size);
    expected.set(this.expected);
    this.expected = expected;
  }
}

export const predictedRejection: AdmissionKind = {
  id: 'predicted_rejection',
  label: 'Early rejection by prediction (Mooncake)',
  help: 'Refuses at arrival by the decode load expected when the request’s prefill ends: prefills that end by then count, sequences that will have decoded for the usual time do not.',
  parameters: [loadThreshold, decodeTimeParameter],
  reasons: loadReasons,
  create: (context) => new PredictedRejection(context),
};
