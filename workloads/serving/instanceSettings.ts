import type { CostModel } from '../cost/costModel.ts';
import type { PoolRole } from '../run/spec.ts';
import type { Blocks, Bytes, Ns, Tokens } from '../units.ts';
import type { Executor } from './executor.ts';
import type { Instance } from './instance.ts';
import type { KvPool } from './kvPool.ts';
import type { PassResult } from './passPlan.ts';
import type { Scheduler } from './schedulers/scheduler.ts';
import type { TechniqueFactory } from './techniques/decodeTechnique.ts';
import type { InstanceTiers } from './tiers/instanceTiers.ts';

/** Names the instance that an event is about. */
export interface InstanceRef {
  readonly index: number;
}

/** What an instance tells the world when it happens: called per request, never per token. */
export interface InstanceEvents {
  firstToken(request: number, at: Ns, instance: InstanceRef): void;
  finished(request: number, at: Ns, instance: InstanceRef): void;
  preempted(request: number, at: Ns, instance: InstanceRef, blocks: Blocks): void;
  /** After `preempted`: its KV cache goes to host memory; later: it is back. The pass at `at` waits `ns` for the copy. */
  swapped(
    request: number,
    at: Ns,
    instance: InstanceRef,
    event: 'swap_out' | 'swap_in',
    blocks: Blocks,
    bytes: Bytes,
    ns: Ns,
  ): void;
  /** The prompt is computed and the router is to say where decoding goes on; the instance still holds the blocks. */
  promptDone(request: number, at: Ns, instance: InstanceRef): void;
  /** A pass that an executor ran has ended; `instance.endPass` is still to be called. Absent: all passes are simulated. */
  executed?(instance: Instance, result: PassResult): void;
  /** A run of like passes ended. */
  passes(
    instance: InstanceRef,
    start: Ns,
    end: Ns,
    count: number,
    prefillTokens: Tokens,
    decodeSequences: number,
    contextTokens: Tokens,
    kvBlocks: Blocks,
  ): void;
}

export interface InstanceSettings {
  readonly index: number;
  readonly name: string;
  readonly role: PoolRole;
  readonly cost: CostModel;
  readonly kvBlocks: Blocks;
  /** Its KV memory, where it is to be of another kind than a plain pool of `kvBlocks`. */
  readonly pool?: KvPool;
  readonly blockTokens: Tokens;
  readonly prefixReuse: boolean;
  readonly maxBatchedTokens: Tokens;
  readonly maxSequences: number;
  /** After each prompt the router says where to decode. */
  readonly asksWhereToDecode: boolean;
  /**
   * Each pass is put together when the one before it starts (vLLM's async scheduling): a request that arrives during a pass, and what
   * ends with it, counts from the pass after the next.
   */
  readonly plansAhead?: boolean;
  /** Leaves out the token gaps of each request (TBT10). */
  readonly withoutGaps?: boolean;
  /** Absent: chunked prefill, first come first served, preemption by recomputation. */
  readonly scheduler?: Scheduler;
  /** The KV cache of a preempted request can be found again until its blocks are taken. */
  readonly keepsPreempted?: boolean;
  /** What decoding does beyond one token per sequence and pass. */
  readonly technique?: TechniqueFactory;
  /** Runs the passes; absent: the cost model says how long each of them takes. */
  readonly executor?: Executor;
  /** Where its prefix blocks go from HBM, and come back from. */
  readonly tiers?: InstanceTiers;
}
