import type { Blocks, Ns, Tokens } from '../units.ts';
import type { InstanceEvents, InstanceRef } from './instanceSettings.ts';

/** Joins like passes of one instance, end to end, into one row of the `iterations` table. */
export class PassRows {
  /** The batch is another one than in the open row. */
  batchChanged = true;
  private open = false;
  private start: Ns = 0;
  private end: Ns = 0;
  private count = 0;
  private prefill: Tokens = 0;
  private decoding = 0;
  private context: Tokens = 0;
  private readonly instance: InstanceRef;
  private readonly events: InstanceEvents;

  constructor(instance: InstanceRef, events: InstanceEvents) {
    this.instance = instance;
    this.events = events;
  }

  /** A pass begins: it lengthens the open row where the batch is the same, else it opens a new one. `kvBlocks`: used now. */
  begin(start: Ns, prefillTokens: Tokens, decoding: number, context: Tokens, kvBlocks: Blocks): void {
    if (this.open && !this.batchChanged && prefillTokens === 0 && this.prefill === 0 && this.end === start)
      return;
    this.close(kvBlocks);
    this.open = true;
    this.start = start;
    this.prefill = prefillTokens;
    this.decoding = decoding;
    this.context = context;
    this.batchChanged = false;
  }

  /** The first pass of the open row really began at `start`. */
  startedAt(start: Ns): void {
    if (this.count === 0) this.start = start;
  }

  /** `count` passes of the open row ended, the last of them at `end`. */
  passed(count: number, end: Ns): void {
    this.count += count;
    this.end = end;
  }

  /** Writes the open row down. Also called when the run ends. */
  close(kvBlocks: Blocks): void {
    if (this.open && this.count > 0) {
      this.events.passes(
        this.instance,
        this.start,
        this.end,
        this.count,
        this.prefill,
        this.decoding,
        this.context,
        kvBlocks,
      );
    }
    this.count = 0;
    this.open = false;
  }
}
