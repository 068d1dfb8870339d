import type { Instance } from '../serving/instance.ts';
import type { Bytes, Ns } from '../units.ts';
import type { ClusterState } from './clusterState.ts';
import type { Dispatch } from './dispatch.ts';
import type { HandOvers } from './handOvers.ts';
import type { Links } from './links.ts';

/**
 * Layer-wise hand-over: the decode instance is chosen and its blocks are reserved when the prompt's first chunk starts, and
 * each chunk's KV cache leaves layer by layer while it is computed. What the link could not hide is left after the prompt.
 * Where the target has no room yet, the next chunk tries again, and the end of the prompt hands it over like any other.
 */
export class KvStreams {
  private readonly state: ClusterState;
  private readonly dispatch: Dispatch;
  private readonly handOvers: HandOvers;
  private readonly links: Links;
  private readonly layers: number;
  /** Per request: leading tokens that are at the target or on their way, bytes sent, when the first left, when all is there. */
  private readonly sentTokens: Int32Array;
  private readonly sentBytes: Float64Array;
  private readonly since: Float64Array;
  private readonly thereAt: Float64Array;

  constructor(state: ClusterState, dispatch: Dispatch, handOvers: HandOvers, links: Links, layers: number) {
    this.state = state;
    this.dispatch = dispatch;
    this.handOvers = handOvers;
    this.links = links;
    this.layers = layers;
    const { count } = state.requests;
    this.sentTokens = new Int32Array(count);
    this.sentBytes = new Float64Array(count);
    this.since = new Float64Array(count);
    this.thereAt = new Float64Array(count);
  }

  /** The pass of a prefill instance that started at t: sends what it computes. */
  passStarted(instance: Instance, t: Ns): void {
    const { requests } = this.state;
    for (let k = 0; k < instance.prefills; k++) {
      const take = instance.chunkAt(k);
      if (take === 0) return;
      const r = instance.promptAt(k);
      if ((requests.movingTo[r] ?? -1) < 0 && !this.open(r, instance, t)) continue;
      const to = requests.movingTo[r] ?? -1;
      const done = requests.computed[r] ?? 0;
      const sent = this.sentTokens[r] ?? 0;
      const end = done + take;
      if (end <= sent) continue;
      const perToken = this.links.kvBytesPerToken;
      const ready = Math.max(0, done - sent) * perToken;
      const fresh = (end - Math.max(sent, done)) * perToken;
      this.thereAt[r] = this.links.sendLayers(
        instance.index,
        to,
        ready,
        fresh,
        this.layers,
        t,
        instance.endNs,
      );
      this.sentTokens[r] = end;
      this.sentBytes[r] = (this.sentBytes[r] ?? 0) + ready + fresh;
      this.handOvers.transfers.bytes += ready + fresh;
    }
  }

  /** Chooses where r will decode and reserves its blocks there; false where there is no room now. */
  private open(r: number, holder: Instance, t: Ns): boolean {
    const { state, handOvers } = this;
    const to = handOvers.decodeTarget(r, t, holder.index);
    if (to < 0 || to === holder.index) return false;
    state.instance(to).advanceTo(t);
    if (!handOvers.hasRoomAtOnce(to) || !handOvers.transfers.reserve(r, to, state.requests.need[r] ?? 0, t))
      return false;
    state.recorder.decision(r, t, 'decode', to, this.dispatch.sheet);
    this.dispatch.sent(to);
    // Blocks that the target already has need not travel.
    this.sentTokens[r] = (state.requests.incomingShared[r] ?? 0) * state.blockTokens;
    this.sentBytes[r] = 0;
    this.since[r] = t;
    this.thereAt[r] = t;
    return true;
  }

  /** The prompt of r, which was sent as it was computed, ended at t: when all of it is at the target, and how it got there. */
  promptDone(r: number, t: Ns): { readonly at: Ns; readonly bytes: Bytes; readonly sinceNs: Ns } {
    return {
      at: Math.max(t, this.thereAt[r] ?? t),
      bytes: this.sentBytes[r] ?? 0,
      sinceNs: this.since[r] ?? t,
    };
  }
}
