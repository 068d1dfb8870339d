import type { Executor } from '../../serving/executor.ts';
import type { Instance } from '../../serving/instance.ts';
import { type PassPlan, type PassResult, RowKind } from '../../serving/passPlan.ts';
import type { RequestTable } from '../../serving/requestTable.ts';
import type { Ns, Tokens } from '../../units.ts';
import { type DeviceError, type DeviceInstance, type DevicePass, rowPrefill, rowSamples } from './device.ts';
import type { DeviceClock } from './deviceClock.ts';
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
  /** The device refused a pass: the run cannot go on. */
  failed(error: DeviceError): void;
}

/** Turns the passes that an instance composes into passes of a device, and their answers into tokens and times. */
export class GpuExecutor implements Executor {
  private readonly parts: ExecutorParts;
  private tokens = new Int32Array(1024);
  private blocks = new Int32Array(1024);
  private slots = new Int32Array(64);
  private offsets = new Int32Array(65);
  private flags = new Uint8Array(64);

  constructor(parts: ExecutorParts) {
    this.parts = parts;
  }

  run(instance: Instance, plan: PassPlan, _startNs: Ns, done: (result: PassResult) => void): void {
    const { device, clock, tally } = this.parts;
    const pass = this.passOf(instance, plan);
    device.pass(pass, (answer) => {
      if (!answer.ok) {
        this.parts.failed(answer.error);
        return;
      }
      const { value } = answer;
      this.take(plan, value.tokens);
      tally.add(value, plan);
      const startNs = clock.at(value.startNs);
      // A device's clock is known to some microseconds: time never runs backwards.
      done({ startNs, endNs: Math.max(startNs + 1, clock.at(value.endNs)) });
    });
  }

  private passOf(instance: Instance, plan: PassPlan): DevicePass {
    const { sequences, blockTokens, label } = this.parts;
    const { tables } = instance.pool;
    const { rows } = plan;
    this.fit(rows);
    let tokens = 0;
    let blocks = 0;
    for (let row = 0; row < rows; row++) {
      const r = plan.request[row] ?? 0;
      const start = plan.start[row] ?? 0;
      const count = plan.tokens[row] ?? 0;
      const needed = Math.ceil((start + count) / blockTokens);
      const table = tables?.of(r) ?? [];
      this.blocks = fitting(this.blocks, blocks + needed);
      for (let i = 0; i < needed; i++) this.blocks[blocks + i] = table[i] ?? 0;
      this.offsets[row] = blocks;
      blocks += needed;
      this.tokens = fitting(this.tokens, tokens + count);
      sequences.write(r, start, count, this.tokens, tokens);
      tokens += count;
      this.slots[row] = row;
      this.flags[row] =
        (plan.kind[row] === RowKind.prefill ? rowPrefill : 0) | (plan.ends[row] === 1 ? rowSamples : 0);
    }
    this.offsets[rows] = blocks;
    return {
      slots: this.slots.subarray(0, rows),
      starts: plan.start.subarray(0, rows),
      counts: plan.tokens.subarray(0, rows),
      flags: this.flags.subarray(0, rows),
      tokens: this.tokens.subarray(0, tokens),
      blockOffsets: this.offsets.subarray(0, rows + 1),
      blocks: this.blocks.subarray(0, blocks),
      label,
    };
  }

  /** The tokens that a pass gave, in row order. */
  private take(plan: PassPlan, given: Int32Array): void {
    const { sequences, requests } = this.parts;
    const { traffic } = requests;
    let at = 0;
    for (let row = 0; row < plan.rows; row++) {
      if (plan.ends[row] !== 1) continue;
      const r = plan.request[row] ?? 0;
      const length = (plan.start[row] ?? 0) + (plan.tokens[row] ?? 0);
      sequences.give(r, length, given[at++] ?? 0);
      const isLast = length - (traffic.promptTokens[r] ?? 0) + 1 === traffic.outputTokens[r];
      if (isLast && requests.answerHash !== undefined) {
        requests.answerHash[r] = answerHash(sequences.answer(r) ?? []);
      }
    }
  }

  private fit(rows: number): void {
    if (rows <= this.slots.length) return;
    this.slots = new Int32Array(rows * 2);
    this.offsets = new Int32Array(rows * 2 + 1);
    this.flags = new Uint8Array(rows * 2);
  }
}

function fitting(column: Int32Array<ArrayBuffer>, size: number): Int32Array<ArrayBuffer> {
  if (size <= column.length) return column;
  const larger = new Int32Array(size * 2);
  larger.set(column);
  return larger;
}
