import type { CostModel, IterationShape, IterationWork } from '../../cost/costModel.ts';
import type { DecodeTechnique, TechniqueView } from '../../serving/techniques/decodeTechnique.ts';
import { type DraftOutcome, SpeculativeBatch } from '../../serving/techniques/speculativeBatch.ts';
import type { SpeculationCounts } from '../../serving/techniques/techniqueCounts.ts';
import type { Ns, Tokens } from '../../units.ts';
import { NgramIndex } from './ngramIndex.ts';
import type { Sequences } from './sequences.ts';

/**
 * Speculation by n-grams of the text so far, on a device: drafts are looked up on the host, the pass computes a row for each of a
 * sequence's next positions, and the front drafts that equal the tokens of the device are accepted. Greedy answers stay those of
 * decoding one token at a time, up to the rounding of differently shaped passes.
 */
export class LookupSpeculation implements DraftOutcome {
  /** Tokens drafted per sequence and pass, at most. */
  readonly length: Tokens;
  readonly counts: SpeculationCounts = {
    kind: 'speculation',
    rounds: 0,
    drafted: 0,
    accepted: 0,
    draftNs: 0,
    verifyNs: 0,
  };
  private readonly sequences: Sequences;
  private readonly vocabulary: number;
  private readonly texts = new Map<number, NgramIndex>();
  private readonly outcomes = new Map<number, { readonly drafted: Tokens; readonly accepted: Tokens }>();
  private one = new Int32Array(256);

  constructor(length: Tokens, sequences: Sequences, vocabulary: number) {
    this.length = length;
    this.sequences = sequences;
    this.vocabulary = vocabulary;
  }

  /** Drafts for the positions from `known` + 1 on of r, whose first `known` tokens are known, into `into` at `at`; how many. */
  draft(r: number, known: Tokens, most: Tokens, into: Int32Array, at: number): Tokens {
    let text = this.texts.get(r);
    if (text === undefined || text.size > known) {
      text = new NgramIndex(this.vocabulary);
      this.texts.set(r, text);
    }
    const from = text.size;
    if (known - from > this.one.length) this.one = new Int32Array(2 * (known - from));
    this.sequences.write(r, from, known - from, this.one, 0);
    for (let i = 0; i < known - from; i++) text.append(this.one[i] ?? 0);
    return text.draft(most, into, at);
  }

  /** What the device made of the drafts of r. */
  found(r: number, drafted: Tokens, accepted: Tokens): void {
    this.outcomes.set(r, { drafted, accepted });
  }

  accepted(r: number): Tokens {
    return this.outcomes.get(r)?.accepted ?? 0;
  }

  drafted(r: number): Tokens {
    return this.outcomes.get(r)?.drafted ?? 0;
  }

  forget(r: number): void {
    this.texts.delete(r);
    this.outcomes.delete(r);
  }

  /** The technique of the instance whose executor asks for these drafts. */
  readonly technique =
    (cost: CostModel) =>
    (view: TechniqueView): DecodeTechnique => {
      const batch = new SpeculativeBatch(view, this, this.counts);
      batch.length = this.length;
      return {
        batch,
        counts: this.counts,
        plan: () => undefined,
        passNs: (): Ns => {
          throw new Error('passes on a device are measured, not computed');
        },
        work: (shape: IterationShape, work: IterationWork) => {
          shape.decodeQueries = this.length + 1;
          cost.work(shape, work);
        },
      };
    };
}
