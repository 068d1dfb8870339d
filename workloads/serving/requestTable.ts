import type { Traffic } from '../traffic/traffic.ts';
import type { AdmissionColumns } from './admission/admissionColumns.ts';
import type { ClientColumns } from './clientColumns.ts';
import { CollectedGaps } from './collectedGaps.ts';
import type { ComplexityColumns } from './complexity.ts';

/**
 * Where a request is in its life; it only moves forward, except that preemption and hand-overs lead back to `waiting`,
 * `swapped` and `moving`, and a lost instance to `stranded`: nowhere, until it is routed again.
 */
export const Phase = {
  future: 0,
  waiting: 1,
  prefilling: 2,
  moving: 3,
  ready: 4,
  decoding: 5,
  /** Refused, and about to come back. */
  away: 6,
  /** Preempted, its KV cache in host memory. */
  swapped: 7,
  completed: 8,
  rejected: 9,
  stranded: 10,
  /** A server took it and lost it. */
  failed: 11,
} as const;

/**
 * All requests of one replicate as columns, indexed like the traffic. The traffic's own columns are shared, the rest is
 * what serving writes. Absent times are NaN.
 */
export class RequestTable {
  readonly traffic: Traffic;
  readonly count: number;
  /** Tokens of each answer: those that the traffic asks for, until an engine knows better. */
  outputTokens: Int32Array;
  readonly phase: Uint8Array;
  readonly scheduledNs: Float64Array;
  readonly firstTokenNs: Float64Array;
  readonly lastTokenNs: Float64Array;
  readonly finishNs: Float64Array;
  readonly transferNs: Float64Array;
  readonly cachedTokens: Int32Array;
  readonly prefillInstance: Int32Array;
  readonly decodeInstance: Int32Array;
  readonly migrations: Uint16Array;
  readonly preemptions: Uint16Array;
  /** How often it was routed again because an instance was gone. */
  readonly retries: Uint16Array;

  /** Tokens whose KV must be computed before the next token comes: the prompt, and after a preemption what was generated too. */
  readonly need: Int32Array;
  readonly computed: Int32Array;
  readonly generated: Int32Array;
  /** Blocks used under their ids, and blocks that are the request's own. */
  readonly shared: Int32Array;
  readonly own: Int32Array;
  /** While moving: the instance that still holds the blocks, where they go (-1: not yet reserved), and what is reserved there. */
  readonly heldBy: Int32Array;
  readonly movingTo: Int32Array;
  readonly incomingShared: Int32Array;
  readonly incomingOwn: Int32Array;
  /** Pass counter of the instance when the request joined its decoding batch. */
  readonly joinPass: Float64Array;
  /** Tiers and refusals; undefined where the run has no admission. */
  admission: AdmissionColumns | undefined;
  /** Hash of each answer's tokens, −1 until it is whole; undefined where answers have lengths only. */
  answerHash: Int32Array | undefined;
  /** 1 where a server reported cachedTokens; undefined where they are known of every scheduled request. */
  cachedReported: Uint8Array | undefined;
  /** What the client of servers knows of its requests; undefined on other engines. */
  client: ClientColumns | undefined;
  /** How hard the requests are; undefined where the spec does not say. */
  complexity: ComplexityColumns | undefined;
  /** Mean of the longest tenth of its token gaps; absent (NaN) for one token, and where gaps are not kept. */
  readonly tbt10Ns: Float64Array;
  /** Gaps of requests that left a batch before their end: gap, how often, gap, … */
  readonly keptGaps = new Map<number, number[]>();
  readonly collectedGaps = new CollectedGaps();
  /** Order of the running batch, oldest first: a list through the requests. */
  readonly runBefore: Int32Array;
  readonly runAfter: Int32Array;

  constructor(traffic: Traffic) {
    const n = traffic.requests;
    this.traffic = traffic;
    this.count = n;
    this.outputTokens = traffic.outputTokens;
    this.phase = new Uint8Array(n);
    this.scheduledNs = new Float64Array(n).fill(Number.NaN);
    this.firstTokenNs = new Float64Array(n).fill(Number.NaN);
    this.lastTokenNs = new Float64Array(n).fill(Number.NaN);
    this.finishNs = new Float64Array(n).fill(Number.NaN);
    this.transferNs = new Float64Array(n).fill(Number.NaN);
    this.cachedTokens = new Int32Array(n);
    this.prefillInstance = new Int32Array(n).fill(-1);
    this.decodeInstance = new Int32Array(n).fill(-1);
    this.migrations = new Uint16Array(n);
    this.preemptions = new Uint16Array(n);
    this.retries = new Uint16Array(n);
    this.need = new Int32Array(n);
    this.computed = new Int32Array(n);
    this.generated = new Int32Array(n);
    this.shared = new Int32Array(n);
    this.own = new Int32Array(n);
    this.heldBy = new Int32Array(n).fill(-1);
    this.movingTo = new Int32Array(n).fill(-1);
    this.incomingShared = new Int32Array(n);
    this.incomingOwn = new Int32Array(n);
    this.joinPass = new Float64Array(n);
    this.admission = undefined;
    this.complexity = undefined;
    this.cachedReported = undefined;
    this.client = undefined;
    this.tbt10Ns = new Float64Array(n).fill(Number.NaN);
    this.runBefore = new Int32Array(n);
    this.runAfter = new Int32Array(n);
  }

  /** False for a turn of a conversation that has not arrived: the request before it has not ended. */
  came(r: number): boolean {
    return this.phase[r] !== Phase.future || (this.traffic.turns?.previous[r] ?? -1) < 0;
  }

  /** Ids of request r with a known prefix: [from, to) of traffic.blockIds. */
  idsFrom(r: number): number {
    return this.traffic.blockOffsets[r] ?? 0;
  }
  idsTo(r: number): number {
    return this.traffic.blockOffsets[r + 1] ?? 0;
  }
}
