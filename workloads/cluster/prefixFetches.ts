import type { RouterKind } from '../routing/router.ts';
import { InputError } from '../run/inputError.ts';
import type { PrefixFetchSummary } from '../run/tierSummary.ts';
import { Phase } from '../serving/requestTable.ts';
import type { Blocks, Ns } from '../units.ts';
import type { ClusterState } from './clusterState.ts';
import { EventKind } from './eventKinds.ts';
import type { HandOvers } from './handOvers.ts';
import type { Links } from './links.ts';

interface Fetch {
  readonly from: number;
  /** Leading blocks that the target had, and that the source has. */
  readonly own: Blocks;
  readonly most: Blocks;
}

/**
 * A prompt whose prefix lies in another instance's HBM fetches it from there before it queues, as in Mooncake's Algorithm 1,
 * whose estimate adds transfer, queue and prefill up. It goes over the links between instances, which hand-overs use as
 * well. Both ends keep the blocks until it has arrived; then any request can find them in the target's prefix cache.
 */
export class PrefixFetches {
  private readonly state: ClusterState;
  private readonly handOvers: HandOvers;
  private readonly links: Links;
  private readonly underWay = new Map<number, Fetch>();
  private fetches = 0;
  private blocks: Blocks = 0;
  private bytes = 0;
  private waitNs: Ns = 0;
  private refused = 0;

  private constructor(state: ClusterState, handOvers: HandOvers, links: Links) {
    this.state = state;
    this.handOvers = handOvers;
    this.links = links;
  }

  /** Undefined where the router never fetches. Throws InputError where instances may go while they send. */
  static of(
    state: ClusterState,
    handOvers: HandOvers,
    links: Links,
    kind: RouterKind,
  ): PrefixFetches | undefined {
    if (kind.fetchesPrefixes?.(state.spec.policy.router_parameters) !== true || !state.reuse)
      return undefined;
    if (state.fleet !== undefined) {
      throw new InputError(
        `policy.router: ${kind.id} that fetches prefixes, in a cluster that changes; expected no timeline and no autoscaling`,
      );
    }
    return new PrefixFetches(state, handOvers, links);
  }

  /** Starts to fetch what `from` has and `to`, where r is to be computed, has not; false where r can queue at once. */
  start(r: number, from: number, to: number, t: Ns): boolean {
    if (from < 0 || from === to) return false;
    const { requests, traffic, blockTokens, queue, recorder } = this.state;
    const source = this.state.instance(from);
    const target = this.state.instance(to);
    source.advanceTo(t);
    const ids = requests.idsFrom(r);
    const own = target.pool.match(traffic.blockIds, ids, requests.idsTo(r));
    const most = source.pool.match(traffic.blockIds, ids, requests.idsTo(r));
    const fresh = most - own;
    if (fresh <= 0) return false;
    if (fresh + target.pool.idleAmong(traffic.blockIds, ids, own) > target.pool.available) {
      this.refused++;
      return false;
    }
    source.pool.hold(traffic.blockIds, ids, most);
    target.pool.journal?.notBefore(t);
    target.pool.hold(traffic.blockIds, ids, own);
    target.pool.take(fresh);
    target.tiers?.handDown(t);
    requests.phase[r] = Phase.moving;
    requests.movingTo[r] = to;
    requests.incomingShared[r] = own;
    requests.incomingOwn[r] = fresh;
    const prompt = traffic.promptTokens[r] ?? 0;
    const tokens = Math.min(most * blockTokens, prompt) - own * blockTokens;
    const bytes = tokens * this.links.kvBytesPerToken;
    const end = this.links.send(from, to, bytes, t);
    this.underWay.set(r, { from, own, most });
    queue.push(end, EventKind.prefixFetched, r, to);
    recorder.kvEvent(t, 'prefix', r, from, to, fresh, bytes, end - t);
    this.fetches++;
    this.blocks += fresh;
    this.bytes += bytes;
    this.waitNs += end - t;
    return true;
  }

  /** The prefix of r has arrived at `to`: r queues there. */
  arrived(r: number, to: number, t: Ns): void {
    const fetch = this.underWay.get(r);
    if (fetch === undefined) throw new Error(`simulator: no prefix of request ${r} was under way`);
    this.underWay.delete(r);
    const { requests, traffic } = this.state;
    const { blockIds } = traffic;
    const source = this.state.instance(fetch.from);
    const target = this.state.instance(to);
    source.advanceTo(t);
    target.advanceTo(t);
    const ids = requests.idsFrom(r);
    source.pool.release(blockIds, ids, fetch.most);
    source.unblock();
    target.pool.journal?.notBefore(t);
    for (let i = fetch.own; i < fetch.most; i++) target.pool.publish(blockIds[ids + i] ?? -1, ids + i, i);
    // Unused until r is admitted, and last in the order of eviction.
    target.pool.release(blockIds, ids, fetch.most);
    target.unblock();
    requests.movingTo[r] = -1;
    requests.incomingShared[r] = 0;
    requests.incomingOwn[r] = 0;
    target.submit(r, t);
    this.handOvers.roomMayHaveCome(fetch.from, t);
    this.handOvers.roomMayHaveCome(to, t);
  }

  get summary(): PrefixFetchSummary {
    return {
      fetches: this.fetches,
      blocks: this.blocks,
      bytes: this.bytes,
      wait_s: this.waitNs / 1e9,
      refused: this.refused,
    };
  }
}
