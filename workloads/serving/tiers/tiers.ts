import type { CostModel } from '../../cost/costModel.ts';
import type { KvTiersSpec } from '../../run/kvSpec.ts';
import type { Blocks, Bytes, Ns, Tokens } from '../../units.ts';
import { InstanceTiers } from './instanceTiers.ts';
import { NodeClock, type Stepper } from './nodeClock.ts';
import { NodeTiers } from './nodeTiers.ts';
import type { TierEvents } from './tierEvents.ts';
import { TierLevel } from './tierLevel.ts';

/** The tiers below the HBM of a whole cluster: nodes of consecutive instances, or single instances where these share nothing. */
export class Tiers {
  readonly spec: KvTiersSpec;
  readonly nodes: readonly NodeTiers[];
  readonly members: InstanceTiers[] = [];
  private readonly nodeSize: number;
  private readonly blockTokens: Tokens;

  /** `blocksOf`: a number of blocks of the cluster's size in blocks of the run's. */
  constructor(
    spec: KvTiersSpec,
    instances: number,
    blockTokens: Tokens,
    bytesPerToken: Bytes,
    blocksOf: (blocks: Blocks) => Blocks,
    events: TierEvents,
  ) {
    this.spec = spec;
    this.blockTokens = blockTokens;
    const shares = spec.levels.some(
      (level) => level.kind === 'peer' || level.shared || level.link === 'node',
    );
    this.nodeSize = shares ? spec.node_instances : 1;
    const nodes: NodeTiers[] = [];
    for (let first = 0; first < instances; first += this.nodeSize) {
      const size = Math.min(this.nodeSize, instances - first);
      const levels = spec.levels.map((level) => new TierLevel(level, size, blocksOf(level.blocks)));
      nodes.push(new NodeTiers(spec, levels, blockTokens * bytesPerToken, first, events));
    }
    this.nodes = nodes;
  }

  /** The tiers as the next instance of the cluster uses them. */
  join(cost: CostModel, maxBatchedTokens: Tokens): InstanceTiers {
    const index = this.members.length;
    const node = this.nodes[Math.floor(index / this.nodeSize)];
    if (node === undefined) throw new Error(`tiers: no node for instance ${index}`);
    const member = new InstanceTiers(node, index % this.nodeSize, this.blockTokens, cost, maxBatchedTokens);
    this.members.push(member);
    return member;
  }

  /** What advances the given instances, all of the cluster's in order; undefined for one that shares nothing. */
  clocks(instances: readonly Stepper[]): (NodeClock | undefined)[] {
    const all: (NodeClock | undefined)[] = [];
    for (let first = 0; first < instances.length; first += this.nodeSize) {
      const members = instances.slice(first, first + this.nodeSize);
      const together = members.length > 1 ? new NodeClock(members) : undefined;
      for (let k = 0; k < members.length; k++) all.push(together);
    }
    return all;
  }

  /** Everything given down up to t takes effect; all instances were advanced to t. */
  settle(t: Ns): void {
    for (const node of this.nodes) node.settle(t);
  }
}
