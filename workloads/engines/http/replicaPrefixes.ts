import type { ClusterState } from '../../cluster/clusterState.ts';
import type { PrefixIndex } from '../../serving/replica.ts';
import type { Blocks, Tokens } from '../../units.ts';
import type { ServerLink } from './serverLink.ts';
import { type Misprediction, Mispredictions } from './servers/mispredictions.ts';
import { SentPrefixes } from './servers/sentPrefixes.ts';

/**
 * The prefix cache of one server as far as it can be known from here: what was sent there, in blocks of the traffic, at most
 * as much as the server holds, corrected by what its answers report. Block ids of the traffic are keys of whole prefixes, so
 * they are the tree's keys as they are.
 */
export class ReplicaPrefixes implements PrefixIndex {
  /** Infinity where the server does not say what it holds. */
  readonly total: Blocks;
  private readonly sentTree: SentPrefixes;
  private readonly errors = new Mispredictions();
  private readonly state: ClusterState;

  constructor(state: ClusterState, link: ServerLink) {
    this.state = state;
    const { blockTokens } = state;
    const { kvTokens } = link.report;
    this.total =
      link.instance.kv_blocks ??
      (kvTokens === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(kvTokens / blockTokens)));
    this.sentTree = new SentPrefixes(this.total);
  }

  get misprediction(): Misprediction {
    return this.errors.value;
  }

  match(ids: Int32Array, from: number, to: number): Blocks {
    return this.sentTree.match(ids.subarray(from, to));
  }

  private keys(r: number): Int32Array {
    const { requests, traffic } = this.state;
    return traffic.blockIds.subarray(requests.idsFrom(r), requests.idsTo(r));
  }

  /** Cached tokens to expect: never all of the prompt, since a server computes its last token anew. */
  predict(r: number): Tokens {
    const { traffic, blockTokens } = this.state;
    const found = this.sentTree.match(this.keys(r)) * blockTokens;
    return Math.min(found, Math.max(0, (traffic.promptTokens[r] ?? 0) - 1));
  }

  sent(r: number): void {
    this.sentTree.sent(this.keys(r));
  }

  answered(r: number, predicted: Tokens, cached: Tokens): void {
    const { traffic, blockTokens } = this.state;
    const keys = this.keys(r);
    if (keys.length === 0) return;
    this.errors.add(predicted, cached, blockTokens);
    const found =
      cached >= (traffic.promptTokens[r] ?? 0) - 1 ? keys.length : Math.floor(cached / blockTokens);
    if (found < Math.floor(predicted / blockTokens)) this.sentTree.answered(keys, found);
  }
}
