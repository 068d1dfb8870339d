import {
  type CostModel,
  type DecodeLine,
  IterationShape,
  type IterationWork,
  wholeNs,
} from '../../cost/costModel.ts';
import type { SpeculationSpec } from '../../run/techniqueSpec.ts';
import type { Ns, Tokens } from '../../units.ts';
import type { Acceptance } from './acceptance.ts';
import type { DecodeTechnique, TechniqueView } from './decodeTechnique.ts';
import { bestDraftLength } from './draftLength.ts';
import { SpeculativeBatch } from './speculativeBatch.ts';
import type { SpeculationCounts } from './techniqueCounts.ts';

/** Before anything was seen, an adaptive length assumes this acceptance, with the weight of this many tokens. */
const assumed = { alpha: 0.7, weight: 50 };
/** Weight of what was seen a pass ago: the estimate forgets half of it in 70 passes. */
const memory = 0.99;

/**
 * Speculative decoding: a round drafts K tokens per sequence one after the other, then the target looks at all K + 1
 * positions in one pass and keeps the front ones that are its own.
 *
 *   round = draft(prompt chunk + n) + (K − 1) × draft(n) + target(prompt chunk + n × (K + 1))
 *
 * Whether that pays follows from the two cost models: while a pass waits for weights, K + 1 positions cost little more than
 * one; where n × (K + 1) tokens keep the tensor cores busy, each rejected one is work lost. The draft computes every prompt too,
 * and what was decoded while the length was 0.
 */
export class Speculation implements DecodeTechnique {
  readonly batch: SpeculativeBatch;
  readonly counts: SpeculationCounts = {
    kind: 'speculation',
    rounds: 0,
    drafted: 0,
    accepted: 0,
    draftNs: 0,
    verifyNs: 0,
  };
  private readonly spec: SpeculationSpec;
  private readonly target: CostModel;
  private readonly draft: CostModel | undefined;
  private readonly draftShape = new IterationShape();
  private readonly trialShape = new IterationShape();
  private readonly line: DecodeLine = { baseNs: 0, perContextTokenNs: 0 };
  private tried = assumed.weight;
  private guessed = assumed.alpha * assumed.weight;
  /** Tokens of running sequences that the draft has not seen. */
  private behind: Tokens = 0;
  private planned = false;

  constructor(
    spec: SpeculationSpec,
    target: CostModel,
    draft: CostModel | undefined,
    acceptance: Acceptance,
    view: TechniqueView,
  ) {
    this.spec = spec;
    this.target = target;
    this.draft = draft;
    this.batch = new SpeculativeBatch(view, acceptance, this.counts);
    this.batch.length = spec.length;
  }

  /** What the adaptive length takes the acceptance for: seen ÷ tried positions, old ones forgotten. */
  get estimatedAlpha(): number {
    return this.guessed / this.tried;
  }

  plan(): void {
    const { batch, spec } = this;
    if (this.planned) {
      this.planned = false;
      this.tried = memory * this.tried + batch.tried;
      this.guessed = memory * this.guessed + batch.guessed;
    }
    if (!spec.adaptive || batch.count === 0) return;
    batch.length = bestDraftLength(
      this.estimatedAlpha,
      spec.length,
      (length) => this.roundNs(batch.count, batch.context, length),
      spec.acceptance.position_decay,
    );
  }

  /** Time of a round of `sequences` with `context` tokens between them, no prompt beside it. */
  roundNs(sequences: number, context: Tokens, length: number): Ns {
    const shape = this.trialShape;
    shape.decodeSequences = sequences;
    shape.decodeContextTokens = context;
    shape.prefillContextTokens = 0;
    shape.prefillPairs = 0;
    shape.decodeQueries = length + 1;
    return this.target.iterationNs(shape) + this.draftNs(shape, length, 0);
  }

  /** Time of the draft beside a pass of this shape: its prompt chunk, then `length` steps of all decoding sequences. */
  private draftNs(shape: IterationShape, length: number, behind: Tokens): Ns {
    const { draft, spec } = this;
    const steps = shape.decodeSequences === 0 ? 0 : length;
    if (draft === undefined) return steps > 0 ? spec.draft.overhead_us * 1e3 : 0;
    if (steps === 0 && shape.prefillTokens === 0) return 0;
    const own = this.draftShape;
    const n = shape.decodeSequences;
    const context = shape.decodeContextTokens;
    // Tokens it has not seen are computed as a prompt would be, behind the text that it has.
    own.prefillTokens = shape.prefillTokens + behind;
    own.prefillPairs = shape.prefillPairs + (behind > 0 ? (behind * context) / n : 0);
    own.prefillContextTokens = shape.prefillContextTokens + (behind > 0 ? context : 0);
    own.prefillSequences = shape.prefillSequences;
    own.prefillEnds = 0;
    own.decodeSequences = steps > 0 ? n : 0;
    own.decodeContextTokens = steps > 0 ? context : 0;
    let ns = draft.iterationNs(own);
    if (steps > 1) {
      draft.decodeLine(n, this.line);
      // Σ over the further steps of the context, which grows by one token per sequence and step.
      const contexts = (steps - 1) * context + (n * (steps - 1) * steps) / 2;
      ns += (steps - 1) * this.line.baseNs + this.line.perContextTokenNs * contexts;
    }
    return ns;
  }

  passNs(shape: IterationShape): Ns {
    const { batch, counts } = this;
    const n = shape.decodeSequences;
    const length = n === 0 ? 0 : batch.length;
    shape.decodeQueries = length + 1;
    const verify = this.target.iterationNs(shape);
    const catchUp = length > 0 ? this.behind : 0;
    const draft = this.draftNs(shape, length, catchUp);
    if (this.draft !== undefined) this.behind = length > 0 ? 0 : this.behind + n;
    if (n > 0) {
      this.planned = true;
      counts.draftNs += draft;
      counts.verifyNs += verify;
    }
    return wholeNs(verify + draft);
  }

  /** The target's work; the draft's is left out. */
  work(shape: IterationShape, work: IterationWork): void {
    this.target.work(shape, work);
  }
}
