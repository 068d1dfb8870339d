import type { RunSpec } from '../run/spec.ts';
import type { Traffic } from '../traffic/traffic.ts';
import type { Blocks, Tokens } from '../units.ts';

/** Tokens of one KV block: the traffic's own where it names its prefixes by block, else the cluster's. */
export const blockTokensOf = (spec: Pick<RunSpec, 'cluster'>, traffic: Traffic): Tokens =>
  traffic.blockTokens > 0 ? traffic.blockTokens : spec.cluster.kv.block_tokens;

/** Blocks of an instance in the size that the run uses: the same memory. */
export const kvBlocksOf = (spec: Pick<RunSpec, 'cluster'>, blocks: Blocks, blockTokens: Tokens): Blocks =>
  Math.floor((blocks * spec.cluster.kv.block_tokens) / blockTokens);
