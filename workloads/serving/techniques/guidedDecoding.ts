import { type CostModel, type IterationShape, type IterationWork, wholeNs } from '../../cost/costModel.ts';
import { gaussianAt, uniformAt } from '../../run/counterRandom.ts';
import { stream } from '../../run/random.ts';
import type { GuidedSpec } from '../../run/techniqueSpec.ts';
import type { BytesPerSec, Ns, Tokens } from '../../units.ts';
import { DecodeBatch } from '../decodeBatch.ts';
import { Phase } from '../requestTable.ts';
import type { DecodeTechnique, TechniqueView } from './decodeTechnique.ts';
import type { GuidedCounts } from './techniqueCounts.ts';

/** What masks go through; one GPU's, since each rank masks the whole row. */
export interface MaskPath {
  readonly vocabulary: number;
  readonly hostToDevice: BytesPerSec;
  readonly memory: BytesPerSec;
}

/**
 * Output that follows a grammar: before sampling, each constrained sequence needs the mask of the tokens that its own grammar
 * state allows, made on the CPU from the token before.
 *
 *   after the pass    GPU ──pass──┐           ┌─ mask, sample ─          the GPU waits for masks and their copy
 *                     CPU         └─ masks ───┘
 *   while it runs     GPU ──pass──────┬─ mask, sample ─                   it waits only where masks take longer than the pass
 *                     CPU ── masks ───┘
 *
 * The last pass's token is known when the next pass starts, and the mask is needed when it ends: that is why they can overlap.
 * Masks of different sequences are made by several threads: Σ ÷ threads, and no less than the slowest one.
 */
export class GuidedDecoding implements DecodeTechnique {
  readonly batch: DecodeBatch;
  readonly counts: GuidedCounts = { kind: 'guided', masks: 0, maskNs: 0, exposedNs: 0, passNs: 0 };
  private readonly spec: GuidedSpec;
  private readonly cost: CostModel;
  private readonly path: MaskPath;
  private readonly view: TechniqueView;
  private readonly shareKey: number;
  private readonly maskKey: number;
  // Of the planned pass.
  private masks = 0;
  private sumNs = 0;
  private slowestNs = 0;

  constructor(
    spec: GuidedSpec,
    cost: CostModel,
    path: MaskPath,
    seed: number,
    replicate: number,
    view: TechniqueView,
  ) {
    this.spec = spec;
    this.cost = cost;
    this.path = path;
    this.view = view;
    this.batch = new DecodeBatch(view.requests, view.blockTokens, view.capacity);
    const random = stream(seed, `guided ${replicate}`);
    this.shareKey = random.bits();
    this.maskKey = random.bits();
  }

  /** Whether the output of r follows a grammar. */
  guides(r: number): boolean {
    return uniformAt(this.shareKey, r, 0) < this.spec.share;
  }

  plan(): void {}

  private add(r: number, token: Tokens): void {
    if (!this.guides(r)) return;
    const { median_us, sigma } = this.spec.mask;
    const ns = median_us * 1e3 * (sigma === 0 ? 1 : Math.exp(sigma * gaussianAt(this.maskKey, r, token)));
    this.masks++;
    this.sumNs += ns;
    if (ns > this.slowestNs) this.slowestNs = ns;
  }

  private draw(): void {
    const { requests, prompts } = this.view;
    this.masks = 0;
    this.sumNs = 0;
    this.slowestNs = 0;
    for (let r = this.view.running.first; r >= 0; r = requests.runAfter[r] ?? -1) {
      if (requests.phase[r] === Phase.decoding) this.add(r, this.batch.generated(r));
    }
    for (let i = 0; i < prompts.length; i++) {
      const r = prompts.at(i);
      if (prompts.tokensAt(i) === (requests.need[r] ?? 0) - (requests.computed[r] ?? 0))
        this.add(r, requests.generated[r] ?? 0);
    }
  }

  passNs(shape: IterationShape): Ns {
    const { spec, path, counts } = this;
    const gpu = this.cost.iterationNs(shape);
    this.draw();
    counts.passNs += gpu;
    if (this.masks === 0) return gpu;
    const making = Math.max(this.slowestNs, this.sumNs / spec.threads);
    const entries = this.masks * path.vocabulary;
    const copying = ((entries * spec.mask_bits) / 8 / path.hostToDevice) * 1e9;
    // The kernel reads the mask, and reads and writes logits of 4 bytes.
    const applying = spec.apply_us * 1e3 + ((entries * (8 + spec.mask_bits / 8)) / path.memory) * 1e9;
    const waiting = spec.overlapped ? Math.max(0, making + copying - gpu) : making + copying;
    counts.masks += this.masks;
    counts.maskNs += this.sumNs;
    counts.exposedNs += waiting + applying;
    counts.passNs += waiting + applying;
    return wholeNs(gpu + waiting + applying);
  }

  work(shape: IterationShape, work: IterationWork): void {
    this.cost.work(shape, work);
  }
}
