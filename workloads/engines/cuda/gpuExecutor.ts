import type { Executor } from '../../serving/executor.ts';
import type { Instance } from '../../serving/instance.ts';
import { type PassPlan, type PassResult, RowKind } from '../../serving/passPlan.ts';
import type { RequestTable } from '../../serving/requestTable.ts';
import type { Ns, Tokens } from '../../units.ts';
import { type DeviceError, type DeviceInstance, type DevicePass, rowPrefill, rowSamples } from './device.ts';
import type { DeviceClock } from './deviceClock.ts';
import type { GpuSwap } from './gpuSwap.ts';
import type { LookupSpeculation } from './lookupSpeculation.ts';
import type { PassTally } from './passTally.ts';
import { answerHash, type Sequences } from './sequences.ts';

export interface ExecutorParts {
  readonly device: DeviceInstance;
  readonly requests: RequestTable;
  readonly sequences: Sequences;
  readonly clock: DeviceClock;
  readonly tally: PassTally;
  readonly blockTokens: Tokens;
  readonly label: string;
  /** Host memory for preempted requests; absent: they are computed again. */
  readonly swap?: GpuSwap;
  /** Drafts of several tokens per pass; absent: one token per sequence and pass. */
  readonly speculation?: LookupSpeculation;
  /** Monotonic host time, for what drafting takes. */
  monotonic(): bigint;
  /** The device refused a pass: the run cannot go on. */
  failed(error: DeviceError): void;
}

/** Turns the passes that an instance composes into passes of a device, and their answers into tokens and times. */
export class GpuExecutor implements Executor {
  private readonly parts: ExecutorParts;
  private tokens = new Int32Array(1024);
  private blocks = new Int32Array(1024);
  private slots = new Int32Array(64);
  private starts = new Int32Array(64);
  private counts = new Int32Array(64);
  private offsets = new Int32Array(65);
  private flags = new Uint8Array(64);
  /** Of each row of the plan: rows of the device's pass beyond the first, one per drafted token. */
  private drafted = new Int32Array(64);
  /** Where the drafts of a row begin in `tokens`. */
  private draftsAt = new Int32Array(64);
  private drafts = new Int32Array(32);

  constructor(parts: ExecutorParts) {
    this.parts = parts;
  }

  run(instance: Instance, plan: PassPlan, _startNs: Ns, done: (result: PassResult) => void): void {
    const { swap } = this.parts;
    if (swap === undefined) this.launch(instance, plan, done);
    else swap.settle(instance, () => this.launch(instance, plan, done));
  }

  swapsOut(r: number, blocks: readonly number[]): void {
    this.parts.swap?.out(r, blocks);
  }

  swapsIn(r: number, blocks: readonly number[]): void {
    this.parts.swap?.in(r, blocks);
  }

  private launch(instance: Instance, plan: PassPlan, done: (result: PassResult) => void): void {
    const { device, clock, tally, speculation } = this.parts;
    const pass = this.passOf(instance, plan);
    device.pass(pass, (answer) => {
      if (!answer.ok) {
        this.parts.failed(answer.error);
        return;
      }
      const { value } = answer;
      this.take(plan, value.tokens);
      tally.add(value, plan);
      if (speculation !== undefined && plan.kind.subarray(0, plan.rows).includes(RowKind.decode))
        speculation.counts.verifyNs += Number(value.endNs - value.startNs);
      const startNs = clock.at(value.startNs);
      // A device's clock is known to some microseconds: time never runs backwards.
      done({ startNs, endNs: Math.max(startNs + 1, clock.at(value.endNs)) });
    });
  }

  released(r: number): void {
    this.parts.speculation?.forget(r);
  }

  private passOf(instance: Instance, plan: PassPlan): DevicePass {
    const { sequences, blockTokens, label } = this.parts;
    const { tables } = instance.pool;
    let rows = 0;
    let tokens = 0;
    let blocks = 0;
    /** A row of the device: `count` tokens of r from `start` on, which `write` puts in place. */
    const add = (r: number, start: number, count: number, flags: number): void => {
      this.fit(rows + 1);
      const needed = Math.ceil((start + count) / blockTokens);
      const table = tables?.of(r) ?? [];
      this.blocks = fitting(this.blocks, blocks + needed);
      for (let i = 0; i < needed; i++) this.blocks[blocks + i] = table[i] ?? 0;
      this.offsets[rows] = blocks;
      blocks += needed;
      this.tokens = fitting(this.tokens, tokens + count);
      this.slots[rows] = rows;
      this.starts[rows] = start;
      this.counts[rows] = count;
      this.flags[rows] = flags;
      rows++;
    };
    if (plan.rows > this.drafted.length) {
      this.drafted = new Int32Array(2 * plan.rows);
      this.draftsAt = new Int32Array(2 * plan.rows);
    }
    for (let row = 0; row < plan.rows; row++) {
      const r = plan.request[row] ?? 0;
      const start = plan.start[row] ?? 0;
      const decodes = plan.kind[row] === RowKind.decode;
      const count = decodes ? 1 : (plan.tokens[row] ?? 0);
      add(r, start, count, (decodes ? 0 : rowPrefill) | (plan.ends[row] === 1 ? rowSamples : 0));
      sequences.write(r, start, count, this.tokens, tokens);
      tokens += count;
      const drafted = decodes ? this.draft(r, start + 1, (plan.tokens[row] ?? 1) - 1) : 0;
      this.drafted[row] = drafted;
      this.draftsAt[row] = tokens;
      this.tokens = fitting(this.tokens, tokens + drafted);
      for (let k = 0; k < drafted; k++) {
        add(r, start + 1 + k, 1, rowSamples);
        this.tokens[tokens++] = this.drafts[k] ?? 0;
      }
    }
    this.offsets[rows] = blocks;
    return {
      slots: this.slots.subarray(0, rows),
      starts: this.starts.subarray(0, rows),
      counts: this.counts.subarray(0, rows),
      flags: this.flags.subarray(0, rows),
      tokens: this.tokens.subarray(0, tokens),
      blockOffsets: this.offsets.subarray(0, rows + 1),
      blocks: this.blocks.subarray(0, blocks),
      label,
    };
  }

  /** Fills `drafts` with guesses of what follows the `known` tokens of r; how many. */
  private draft(r: number, known: number, most: number): number {
    const { speculation } = this.parts;
    if (speculation === undefined || most <= 0) return 0;
    const begin = this.parts.monotonic();
    const drafted = speculation.draft(r, known, most, this.drafts, 0);
    speculation.counts.draftNs += Number(this.parts.monotonic() - begin);
    return drafted;
  }

  /** The tokens that a pass gave, in row order. */
  private take(plan: PassPlan, given: Int32Array): void {
    const { sequences, requests, speculation } = this.parts;
    const { traffic } = requests;
    let at = 0;
    for (let row = 0; row < plan.rows; row++) {
      if (plan.ends[row] !== 1) continue;
      const r = plan.request[row] ?? 0;
      const decodes = plan.kind[row] === RowKind.decode;
      const start = plan.start[row] ?? 0;
      let length = start + (decodes ? 1 : (plan.tokens[row] ?? 0));
      let token = given[at] ?? 0;
      sequences.give(r, length, token);
      const drafted = decodes ? (this.drafted[row] ?? 0) : 0;
      // The row of a draft has the token that follows it; that counts as long as every draft before was right.
      const draftsAt = this.draftsAt[row] ?? 0;
      let accepted = 0;
      for (; accepted < drafted && this.tokens[draftsAt + accepted] === token; accepted++) {
        token = given[at + accepted + 1] ?? 0;
        sequences.give(r, ++length, token);
      }
      if (decodes) speculation?.found(r, drafted, accepted);
      at += 1 + drafted;
      const isLast = length - (traffic.promptTokens[r] ?? 0) + 1 === traffic.outputTokens[r];
      if (isLast && requests.answerHash !== undefined) {
        requests.answerHash[r] = answerHash(sequences.answer(r) ?? []);
      }
    }
  }

  private fit(rows: number): void {
    if (rows <= this.slots.length) return;
    this.slots = fitting(this.slots, rows);
    this.starts = fitting(this.starts, rows);
    this.counts = fitting(this.counts, rows);
    this.offsets = fitting(this.offsets, rows + 1);
    const flags = new Uint8Array(rows * 2);
    flags.set(this.flags);
    this.flags = flags;
  }
}

function fitting(column: Int32Array<ArrayBuffer>, size: number): Int32Array<ArrayBuffer> {
  if (size <= column.length) return column;
  const larger = new Int32Array(size * 2);
  larger.set(column);
  return larger;
}
