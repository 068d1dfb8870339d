import type { RequestClassSpec } from '../../run/schedulerSpec.ts';
import type { Ns, Tokens } from '../../units.ts';
import type { PassComposer } from '../passComposer.ts';

/** A pass computes at least so many prompt tokens, however short it should be: prompts must go on. */
const leastChunk: Tokens = 64;

/**
 * Holds passes to the shortest `pass_ms` of the classes in the batch, by cutting prompt chunks:
 *
 *   tokens = (pass_ms − time of the decode pass as it is now) × unloaded prefill rate
 *
 * An estimate from rates that an operator measures once; a pass may take longer than its class allows.
 */
export class PassCap {
  private readonly passNs: Float64Array;
  private readonly classOf: Uint8Array;
  private readonly tokensPerNs: number;
  private readonly decodeNs: Ns;
  private readonly perSequenceNs: Ns;
  private readonly perContextNs: Ns;

  constructor(
    classes: readonly RequestClassSpec[],
    classOf: Uint8Array,
    profile: {
      readonly prefillRate: number;
      readonly decodeNs: Ns;
      readonly perSequenceNs: Ns;
      readonly perContextNs: Ns;
    },
  ) {
    this.passNs = Float64Array.from(classes, (c) =>
      c.pass_ms === undefined ? Number.POSITIVE_INFINITY : c.pass_ms * 1e6,
    );
    this.classOf = classOf;
    this.tokensPerNs = profile.prefillRate / 1e9;
    this.decodeNs = profile.decodeNs;
    this.perSequenceNs = profile.perSequenceNs;
    this.perContextNs = profile.perContextNs;
  }

  /** Tokens for prompts in the pass that is being put together, at most `budget`. */
  promptTokens(pass: PassComposer, budget: Tokens): Tokens {
    const { runAfter } = pass.requests;
    let most = Number.POSITIVE_INFINITY;
    for (let r = pass.firstRunning; r >= 0; r = runAfter[r] ?? -1) {
      most = Math.min(most, this.passNs[this.classOf[r] ?? 0] ?? most);
    }
    if (most === Number.POSITIVE_INFINITY) return budget;
    const decode =
      this.decodeNs +
      Math.max(0, pass.decoding - 1) * this.perSequenceNs +
      pass.decodeContext * this.perContextNs;
    return Math.min(budget, Math.max(leastChunk, Math.floor((most - decode) * this.tokensPerNs)));
  }
}
