import type { ClusterState } from '../../cluster/clusterState.ts';
import type { PrefixIndex } from '../../serving/replica.ts';
import type { Blocks, Tokens } from '../../units.ts';
import type { ServerLink } from './serverLink.ts';
import { chainKeys } from './servers/chainKeys.ts';
import type { EventPrefixes } from './servers/eventPrefixes.ts';
import { type Misprediction, Mispredictions } from './servers/mispredictions.ts';
import { SentPrefixes } from './servers/sentPrefixes.ts';

/** One server's KV events over a run; trusted from the first batch until batches are lost. */
export interface LinkEvents {
  readonly index: EventPrefixes;
  isLive: boolean;
}

/** The tokens of whole blocks as they are sent to the server. */
export type BlockPrompt = (ids: Int32Array, from: number, to: number) => Uint32Array;

/**
 * The prefix cache of one server as far as it can be known from here: what was sent there, in blocks of the traffic, at most
 * as much as the server holds, corrected by what its answers report. Block ids of the traffic are keys of whole prefixes, so
 * they are the tree's keys as they are. Where the server sends KV events these say what is there, and the tree is what is left
 * when they break off.
 */
export class ReplicaPrefixes implements PrefixIndex {
  /** Infinity where the server does not say what it holds. */
  readonly total: Blocks;
  private readonly sentTree: SentPrefixes;
  private readonly errors = new Mispredictions();
  private readonly state: ClusterState;
  private readonly events: LinkEvents | undefined;
  private readonly prompt: BlockPrompt;

  constructor(state: ClusterState, link: ServerLink, events: LinkEvents | undefined, prompt: BlockPrompt) {
    this.state = state;
    this.events = events;
    this.prompt = prompt;
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

  get source(): 'events' | 'sent' {
    return this.events?.isLive === true && this.events.index.blockTokens > 0 ? 'events' : 'sent';
  }

  match(ids: Int32Array, from: number, to: number): Blocks {
    const { events } = this;
    if (events === undefined || this.source === 'sent') return this.sentTree.match(ids.subarray(from, to));
    const size = events.index.blockTokens;
    const found = events.index.match(chainKeys(this.prompt(ids, from, to), size)) * size;
    return Math.min(to - from, Math.floor(found / this.state.blockTokens));
  }

  private keys(r: number): Int32Array {
    const { requests, traffic } = this.state;
    return traffic.blockIds.subarray(requests.idsFrom(r), requests.idsTo(r));
  }

  /** Cached tokens to expect: never all of the prompt, since a server computes its last token anew. */
  predict(r: number): Tokens {
    const { requests, traffic, blockTokens } = this.state;
    const found = this.match(traffic.blockIds, requests.idsFrom(r), requests.idsTo(r)) * blockTokens;
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
