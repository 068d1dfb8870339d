import { type IterationShape, type IterationWork, wholeNs } from '../../cost/costModel.ts';
import type { RooflineCost } from '../../cost/rooflineCost.ts';
import type { EarlyExitSpec } from '../../run/techniqueSpec.ts';
import type { Ns } from '../../units.ts';
import { DecodeBatch } from '../decodeBatch.ts';
import { Phase } from '../requestTable.ts';
import type { Confidence } from './confidence.ts';
import type { DecodeTechnique, TechniqueView } from './decodeTechnique.ts';
import type { EarlyExitCounts } from './techniqueCounts.ts';

/**
 * Tokens that leave the model before its last layer. The layers fall into segments between exits; a segment runs while a token,
 * or a prompt (prompts need all layers for their KV cache), still needs it:
 *
 *   exits at 0.5 and 0.75, four sequences, of which two leave at 0.5, one at 0.75 and one nowhere:
 *
 *     deepest     4 ████████  4 ████  4 ████     the batch stays together until its deepest token
 *     drop        4 ████████  2 ██▌   1 ██       fewer tokens; but a segment's weights are read for one token as for four
 *     rebatched   4 ████████  ½ × 4   ¼ × 4      deeper segments wait for a full batch: every second, every fourth pass
 *
 * Skipped layers still owe their keys and values (`fills_kv`): their projections, from the state at the exit.
 */
export class EarlyExit implements DecodeTechnique {
  readonly batch: DecodeBatch;
  readonly counts: EarlyExitCounts = {
    kind: 'early_exit',
    tokens: 0,
    depth: 0,
    agreed: 0,
    passDepth: 0,
    passes: 0,
  };
  private readonly spec: EarlyExitSpec;
  private readonly cost: RooflineCost;
  private readonly confidence: Confidence;
  private readonly view: TechniqueView;
  /** Share of the layers in each segment. */
  private readonly segments: readonly number[];
  /** Of the planned pass: tokens that need segment i, and their context. */
  private readonly active: Float64Array;
  private readonly context: Float64Array;

  constructor(spec: EarlyExitSpec, cost: RooflineCost, confidence: Confidence, view: TechniqueView) {
    this.spec = spec;
    this.cost = cost;
    this.confidence = confidence;
    this.view = view;
    this.batch = new DecodeBatch(view.requests, view.blockTokens, view.capacity);
    const ends = [0, ...spec.exits, 1];
    this.segments = ends.slice(1).map((end, i) => end - (ends[i] ?? 0));
    this.active = new Float64Array(this.segments.length);
    this.context = new Float64Array(this.segments.length);
  }

  plan(): void {}

  /** Where each token of the pass leaves. */
  private draw(): void {
    const { requests } = this.view;
    const { traffic } = requests;
    const { active, context, batch, confidence, counts, spec } = this;
    active.fill(0);
    context.fill(0);
    for (let r = this.view.running.first; r >= 0; r = requests.runAfter[r] ?? -1) {
      if (requests.phase[r] !== Phase.decoding) continue;
      const generated = batch.generated(r);
      const saturation = confidence.saturation(r, generated);
      const exit = confidence.exit(r, generated, saturation);
      const depth = spec.exits[exit] ?? 1;
      counts.tokens++;
      counts.depth += depth;
      if (depth >= saturation) counts.agreed++;
      for (let i = 0; i <= exit; i++) {
        active[i] = (active[i] ?? 0) + 1;
        context[i] = (context[i] ?? 0) + (traffic.promptTokens[r] ?? 0) + generated;
      }
    }
  }

  passNs(shape: IterationShape): Ns {
    const n = shape.decodeSequences;
    const { cost, spec, counts } = this;
    if (n === 0) return cost.iterationNs(shape);
    this.draw();
    const prompt = shape.prefillTokens;
    const all = shape.decodeContextTokens;
    const softmax = spec.confidence.check === 'softmax';
    const last = this.segments.length - 1;
    let ns = cost.passOverheadNs + cost.promptAttentionNs(shape);
    for (let i = 0; i <= last; i++) {
      const share = this.segments[i] ?? 0;
      const active = this.active[i] ?? 0;
      const runs = active > 0 || prompt > 0;
      // How often the segment runs per pass: less than once where its tokens wait for more of their kind.
      const often = spec.batching === 'rebatched' && prompt === 0 ? active / n : runs ? 1 : 0;
      const together = spec.batching === 'deepest' ? active > 0 : often < 1;
      const width = together ? n : active;
      const context = together ? all : (this.context[i] ?? 0);
      counts.passDepth += share * often;
      if (often > 0) {
        ns += often * cost.layersNs(share, prompt + width, context);
        if (softmax && i < last) ns += often * cost.headNs(width);
      }
      if (softmax && i === last) {
        // Prompts that end share lm_head with the rows that ran all layers.
        ns += often < 1 ? often * cost.headNs(n) : cost.headNs(width + shape.prefillEnds);
      }
      const skipped = n - active;
      if (spec.fills_kv && skipped > 0 && !(spec.batching === 'deepest' && runs))
        ns += cost.keyValueNs(share, skipped, often < 1);
    }
    // Without a head at each exit, the token of each row is read at the end.
    if (!softmax) ns += cost.headNs(n + shape.prefillEnds);
    counts.passes++;
    return wholeNs(ns);
  }

  /** As if every token went through all layers: the share that was skipped is not taken off. */
  work(shape: IterationShape, work: IterationWork): void {
    this.cost.work(shape, work);
  }
}
