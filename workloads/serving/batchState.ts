import type { Sketch } from '../metrics/sketch.ts';
import type { PoolRole } from '../run/poolRole.ts';
import type { Blocks, Ns, Tokens } from '../units.ts';
import { DecodeBatch } from './decodeBatch.ts';
import { InstanceCounters } from './instanceCounters.ts';
import type { InstanceEvents, InstanceSettings } from './instanceSettings.ts';
import { IntQueue } from './intQueue.ts';
import { KeptBlocks } from './keptBlocks.ts';
import { KvPool } from './kvPool.ts';
import { PassRows } from './passRows.ts';
import { Pauses } from './pauses.ts';
import { PromptBatch } from './promptBatch.ts';
import type { RequestTable } from './requestTable.ts';
import { RunningList } from './runningList.ts';
import { ChunkedPrefill } from './schedulers/chunkedPrefill.ts';
import type { Scheduler, WaitingQueue } from './schedulers/scheduler.ts';
import type { SwapSpace } from './schedulers/swapSpace.ts';
import type { DecodeTechnique } from './techniques/decodeTechnique.ts';
import { Incoming } from './tiers/incoming.ts';
import type { InstanceTiers } from './tiers/instanceTiers.ts';
import { TokenGaps } from './tokenGaps.ts';

/** The requests of one instance by where they are (queue, batch, on their way), its KV blocks and its counters. */
export class BatchState {
  readonly settings: InstanceSettings;
  readonly index: number;
  /** The pool that the instance works for; changes only while it holds nothing. */
  role: PoolRole;
  /** After each prompt the router says where to decode. */
  asksWhereToDecode: boolean;
  readonly requests: RequestTable;
  readonly events: InstanceEvents;
  readonly itlMs: Sketch;
  readonly blockTokens: Tokens;
  readonly reuse: boolean;
  readonly pool: KvPool;
  readonly counters = new InstanceCounters();

  readonly scheduler: Scheduler;
  readonly waiting: WaitingQueue;
  /** Requests that were moved here, KV cache in place, and are not yet in the batch. */
  readonly ready = new IntQueue();
  /** Requests that were admitted, whose prefix is on its way up from a lower memory tier. */
  readonly incoming = new Incoming();
  readonly tiers: InstanceTiers | undefined;
  readonly prompts = new PromptBatch();
  readonly decode: DecodeBatch;
  readonly technique: DecodeTechnique | undefined;
  /** Sequences in the batch, prompts included. */
  readonly batch: RunningList;
  readonly late = new Pauses();
  readonly kept = new KeptBlocks();
  readonly rows: PassRows;
  readonly swap: SwapSpace | undefined;
  readonly gaps: TokenGaps | undefined;
  /** Prompt tokens that wait or are in the batch and not yet computed. */
  pendingPrefill: Tokens = 0;
  /** The first waiting request cannot be admitted until something ends. */
  blocked = false;
  /** The pass gives the decoding sequences a token; false where they stand still for prompts. */
  decodes = true;
  /** Passes without the decoding sequences went by since their last token, which came at `decodedNs`. */
  stalled = false;
  decodedNs: Ns = 0;

  /** Start of the last pass as it was planned, its end, and the blocks and places that its end freed. */
  plannedNs: Ns = 0;
  endedNs: Ns = 0;
  freedBlocks: Blocks = 0;
  freedSequences = 0;

  constructor(settings: InstanceSettings, requests: RequestTable, events: InstanceEvents, itlMs: Sketch) {
    this.settings = settings;
    this.index = settings.index;
    this.role = settings.role;
    this.asksWhereToDecode = settings.asksWhereToDecode;
    this.pool = settings.pool ?? new KvPool(settings.kvBlocks);
    this.requests = requests;
    this.events = events;
    this.itlMs = itlMs;
    this.blockTokens = settings.blockTokens;
    this.reuse = settings.prefixReuse;
    this.batch = new RunningList(requests);
    const capacity = Math.min(settings.maxSequences, 64);
    this.technique = settings.technique?.({
      requests,
      running: this.batch,
      prompts: this.prompts,
      blockTokens: settings.blockTokens,
      capacity,
    });
    this.decode = this.technique?.batch ?? new DecodeBatch(requests, settings.blockTokens, capacity);
    this.rows = new PassRows(this, events);
    this.gaps = settings.withoutGaps === true ? undefined : new TokenGaps(requests);
    this.scheduler = settings.scheduler ?? new ChunkedPrefill();
    this.waiting = this.scheduler.waiting;
    this.swap = this.scheduler.swap;
    this.tiers = settings.tiers;
    if (settings.tiers !== undefined) this.pool.evicted = settings.tiers.evicted;
  }

  /** Requests whose KV cache is in host memory. */
  get swapped(): number {
    return this.swap === undefined ? 0 : this.swap.queue.length;
  }

  /** Requests here that are not finished: waiting, in the batch, or about to join it. */
  get outstanding(): number {
    return this.waiting.length + this.batch.length + this.ready.length + this.incoming.length + this.swapped;
  }

  /**
   * The next pass may admit requests, or take blocks away from some: both may look at the memory tiers. A request that was not
   * admitted before (`blocked`) may be now, where a prefix was published meanwhile.
   */
  get looksAround(): boolean {
    return this.waiting.length > 0 || this.decode.blocksNeeded > this.pool.available;
  }

  /** The batch decodes and nothing joins it before a sequence ends or a block is missing. */
  get isSteady(): boolean {
    return (
      this.prompts.length === 0 &&
      this.late.length === 0 &&
      this.ready.length === 0 &&
      this.incoming.length === 0 &&
      (this.waiting.length === 0 || this.blocked) &&
      this.swapped === 0
    );
  }

  queueChanges(t: Ns): void {
    this.counters.queueChanges(this.waiting.length, t);
  }

  /** When a decoding sequence got its last token. */
  lastTokenOf(r: number): Ns {
    const { requests } = this;
    return requests.joinPass[r] === this.decode.pass ? (requests.lastTokenNs[r] ?? 0) : this.decodedNs;
  }

  /** Blocks that a request holds here at the end of a pass. */
  blocksOf(r: number): Blocks {
    return (this.requests.shared[r] ?? 0) + (this.requests.own[r] ?? 0);
  }
}
