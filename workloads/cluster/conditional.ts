import type { ConditionalSpec } from '../run/handoffSpec.ts';
import type { Ns } from '../units.ts';
import type { ClusterState } from './clusterState.ts';
import type { Dispatch } from './dispatch.ts';
import type { HandOvers } from './handOvers.ts';

/**
 * Conditional disaggregation: first the instance that will decode is chosen; it computes the prompt itself where little of
 * it is missing from its prefix cache, or where the prefill pool is busy.
 */
export class Conditional {
  private readonly state: ClusterState;
  private readonly dispatch: Dispatch;
  private readonly handOvers: HandOvers;
  private readonly limits: ConditionalSpec;

  constructor(state: ClusterState, dispatch: Dispatch, handOvers: HandOvers, limits: ConditionalSpec) {
    this.state = state;
    this.dispatch = dispatch;
    this.handOvers = handOvers;
    this.limits = limits;
  }

  /** The instance that is to compute the prompt of r. */
  prefill(r: number, t: Ns): number {
    const { state, dispatch } = this;
    const decoder = dispatch.decode(r, t, -1);
    if (decoder < 0 || state.instance(decoder).role === 'prefill' || this.worthMoving(r, t, decoder)) {
      if (decoder >= 0) {
        state.recorder.decision(r, t, 'decode', decoder, dispatch.sheet);
        this.handOvers.choose(r, decoder);
      }
      return dispatch.prefill(r, t);
    }
    state.recorder.decision(r, t, 'prefill', decoder, dispatch.sheet);
    return decoder;
  }

  private worthMoving(r: number, t: Ns, decoder: number): boolean {
    const { state, limits } = this;
    const { requests, traffic } = state;
    const target = state.instance(decoder);
    target.advanceTo(t);
    const hit = state.reuse ? target.pool.match(traffic.blockIds, requests.idsFrom(r), requests.idsTo(r)) : 0;
    const missing = (traffic.promptTokens[r] ?? 0) - hit * state.blockTokens;
    if (missing <= limits.max_local_tokens) return false;
    let waiting = 0;
    let prefillers = 0;
    for (const instance of state.instances) {
      if (instance.role !== 'prefill') continue;
      instance.advanceTo(t);
      waiting += instance.waiting.length;
      prefillers++;
    }
    return waiting < limits.max_prefill_queue * prefillers;
  }
}
