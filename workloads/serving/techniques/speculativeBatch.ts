import type { Blocks, Tokens } from '../../units.ts';
import { DecodeBatch } from '../decodeBatch.ts';
import { Phase } from '../requestTable.ts';
import type { TechniqueView } from './decodeTechnique.ts';
import type { SpeculationCounts } from './techniqueCounts.ts';

/** How many drafted tokens of a request were the target's own: drawn by a simulator, found by a device. */
export interface DraftOutcome {
  /** Of `length` tokens drafted for r, the first being output token `next`: how many from the front are accepted. */
  accepted(r: number, next: Tokens, length: number): number;
  /** Tokens that were really drafted for r in the last pass; absent: always `length`. */
  drafted?(r: number): number;
}

/**
 * Sequences that get 1 to `length` + 1 tokens per pass. Each is looked at in each pass, so nothing can be counted ahead:
 * blocks are taken for all tokens that the pass writes, accepted or not, and stay with the sequence (vLLM's lookahead slots).
 */
export class SpeculativeBatch extends DecodeBatch {
  /** Tokens drafted per sequence in the pass that is put together or in progress. */
  length = 0;
  /** Of the last pass, over all sequences: positions drafted that were looked at, and accepted ones. */
  tried = 0;
  guessed = 0;
  private readonly view: TechniqueView;
  private readonly outcome: DraftOutcome;
  private readonly counts: SpeculationCounts;

  constructor(view: TechniqueView, outcome: DraftOutcome, counts: SpeculationCounts) {
    super(view.requests, view.blockTokens, view.capacity);
    this.counts = counts;
    this.view = view;
    this.outcome = outcome;
  }

  override get width(): Tokens {
    return this.length + 1;
  }

  override get blocksNeeded(): Blocks {
    return this.lookahead(false);
  }

  override blocksTaken(): void {
    this.lookahead(true);
  }

  /** Blocks that the sequences lack for this pass; `take`: writes down that they have them. */
  private lookahead(take: boolean): Blocks {
    const { requests } = this.view;
    const { traffic } = requests;
    let sum = 0;
    for (let r = this.view.running.first; r >= 0; r = requests.runAfter[r] ?? -1) {
      if (requests.phase[r] !== Phase.decoding) continue;
      const generated = this.generated(r);
      const slots =
        (traffic.promptTokens[r] ?? 0) +
        generated -
        1 +
        Math.min(this.width, (traffic.outputTokens[r] ?? 0) - generated);
      const held = (requests.shared[r] ?? 0) + (requests.own[r] ?? 0);
      const missing = Math.ceil(slots / this.blockTokens) - held;
      if (missing <= 0) continue;
      sum += missing;
      if (take) requests.own[r] = (requests.own[r] ?? 0) + missing;
    }
    return sum;
  }

  override join(r: number): void {
    const { requests } = this.view;
    requests.phase[r] = Phase.decoding;
    requests.joinPass[r] = this.pass;
    this.count++;
    this.context += (requests.traffic.promptTokens[r] ?? 0) + (requests.generated[r] ?? 0);
  }

  override leave(r: number): void {
    const { requests } = this.view;
    const generated = this.generated(r);
    requests.generated[r] = generated;
    this.count--;
    this.context -= (requests.traffic.promptTokens[r] ?? 0) + generated;
  }

  override step(): void {
    const { requests } = this.view;
    this.extra = 0;
    this.tried = 0;
    this.guessed = 0;
    const ended: number[] = [];
    for (let r = this.view.running.first; r >= 0; r = requests.runAfter[r] ?? -1) {
      if (requests.phase[r] !== Phase.decoding) continue;
      const generated = this.generated(r);
      const left = (requests.traffic.outputTokens[r] ?? 0) - generated;
      const accepted = this.outcome.accepted(r, generated, this.length);
      this.counts.drafted += this.outcome.drafted?.(r) ?? this.length;
      this.guessed += accepted;
      this.tried += Math.min(accepted + 1, this.length);
      const more = Math.min(accepted, left - 1);
      requests.generated[r] = (requests.generated[r] ?? 0) + more;
      this.extra += more;
      if (more + 1 === left) ended.push(r);
    }
    this.pass++;
    this.context += this.count + this.extra;
    this.counts.rounds += this.count;
    this.counts.accepted += this.extra;
    for (const r of ended) this.finishes.push(this.pass, r);
  }

  override ownBlocks(r: number): Blocks {
    return this.view.requests.own[r] ?? 0;
  }
}
