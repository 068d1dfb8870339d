import { kvBytesPerToken, type ModelShape, weightBytes } from '../model/shape.ts';
import { stateBytesPerSequence, WindowedAttention } from '../model/windowed.ts';
import type { Bytes, Tokens } from '../units.ts';
import type { Ceilings } from './ceilings.ts';
import type { RooflinePoint } from './point.ts';
import { formatOf, type Precision, type ServingFormat } from './precision.ts';
import { type Assessment, assess, ridge } from './roof.ts';
import { countsOf, type Pass, passCost, passPoint } from './serving.ts';

/** What stays the same along a curve. */
export interface Setting {
  readonly model: ModelShape;
  readonly ceilings: Ceilings;
  readonly tensorParallel: number;
  readonly format: ServingFormat;
}

export const settingOf = (
  model: ModelShape,
  ceilings: Ceilings,
  tensorParallel = 1,
  format = formatOf(model),
): Setting => ({
  model,
  ceilings,
  tensorParallel,
  format,
});

export interface CurvePoint {
  /** Batch, context or prompt length: what the curve runs over. */
  readonly x: number;
  readonly point: RooflinePoint;
  readonly assessment: Assessment;
  /** Tokens that the pass yields per second at best, over the whole tensor-parallel group. */
  readonly tokensPerSec: number;
}

function curve(setting: Setting, xs: readonly number[], passAt: (x: number) => Pass): CurvePoint[] {
  return xs.flatMap((x) => {
    const pass = passAt(x);
    const point = passPoint(setting.model, pass, setting.tensorParallel, setting.format);
    const assessment = assess(point, setting.ceilings);
    if (assessment === undefined) return [];
    return [{ x, point, assessment, tokensPerSec: countsOf(pass).tokens / (assessment.bestNs / 1e9) }];
  });
}

export const decodeOverBatch = (
  setting: Setting,
  batches: readonly number[],
  context: Tokens,
): CurvePoint[] => curve(setting, batches, (batch) => ({ phase: 'decode', batch, context }));

export const decodeOverContext = (
  setting: Setting,
  contexts: readonly Tokens[],
  batch: number,
): CurvePoint[] => curve(setting, contexts, (context) => ({ phase: 'decode', batch, context }));

export const prefillOverPrompt = (setting: Setting, prompts: readonly Tokens[], batch = 1): CurvePoint[] =>
  curve(setting, prompts, (prompt) => ({ phase: 'prefill', batch, prompt }));

/** 1, 2, 4 … `last`: how batch and context sliders walk. */
export function doublings(first: number, last: number): number[] {
  const out: number[] = [];
  for (let x = first; x < last; x *= 2) out.push(x);
  out.push(last);
  return out;
}

/**
 * The batch at which decode turns from memory-bound to compute-bound. With w and q the FLOP and KV bytes that one more
 * sequence brings, and Q₀ the weights, intensity is AI(B) = B·w / (Q₀ + B·q): it rises with B towards w/q.
 *
 *     w/q > ridge:  it crosses at B = Q₀·ridge / (w − q·ridge)        (dense; experts are found by search)
 *     w/q ≤ ridge:  never: long contexts bring KV faster than batching can share the weights
 */
export type TurningBatch =
  | {
      readonly turns: true;
      readonly batch: number;
      /** Sequences of this context that the group's memory holds; below `batch` the turn cannot be reached. */
      readonly fits?: number;
      readonly reason: string;
    }
  | {
      readonly turns: false;
      /** What intensity tends to, and the ridge that it stays under. */
      readonly limitIntensity: number;
      readonly ridge: number;
      readonly fits?: number;
      readonly reason: string;
    };

export function decodeTurningBatch(
  setting: Setting,
  context: Tokens,
  memoryBytesPerGpu?: Bytes,
): TurningBatch | undefined {
  const { model, ceilings, tensorParallel, format } = setting;
  const peak = ceilings.compute[format.compute]?.value;
  const attentionPeak = ceilings.compute.bf16?.value ?? peak;
  const bandwidth = ceilings.memory.hbm?.value;
  if (peak === undefined || attentionPeak === undefined || bandwidth === undefined) return undefined;
  const at = (batch: number) => {
    const cost = passCost(model, countsOf({ phase: 'decode', batch, context }), tensorParallel, format);
    return { ...cost, seconds: cost.matrixWork / peak + cost.attentionWork / attentionPeak };
  };
  const isComputeBound = (batch: number) => at(batch).seconds >= at(batch).hbmBytes / bandwidth;
  const fits =
    memoryBytesPerGpu === undefined ? {} : { fits: sequencesThatFit(setting, context, memoryBytesPerGpu) };
  // What one more sequence brings once every expert is being read: the difference between two large batches.
  const [large, larger] = [at(manySequences), at(2 * manySequences)];
  const work = larger.work - large.work;
  const limit = work / (larger.hbmBytes - large.hbmBytes);
  // With products in two precisions the ridge is that of their mix.
  const knee = ridge(work / (larger.seconds - large.seconds), bandwidth);
  if (!(limit > knee) || !isComputeBound(manySequences)) {
    return {
      turns: false,
      limitIntensity: limit,
      ridge: knee,
      ...fits,
      reason:
        `each sequence reads its own ${context} tokens of KV, so intensity tends to ${round(limit)} FLOP/B and stays ` +
        `under the ridge of ${round(knee)}: decode is memory-bound at every batch`,
    };
  }
  let low = 0;
  let high = manySequences;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isComputeBound(middle)) high = middle;
    else low = middle;
  }
  const room = fits.fits;
  const memory =
    room === undefined
      ? ''
      : room >= high
        ? `; memory holds ${room} sequences`
        : room === 0
          ? ', but one sequence of this context does not fit in GPU memory'
          : `, but GPU memory holds ${room} sequences of this context`;
  return {
    turns: true,
    batch: high,
    ...fits,
    reason: `intensity reaches the ridge of ${round(knee)} FLOP/B at batch ${high}${memory}`,
  };
}

/** No engine batches more; the search ends here. */
const manySequences = 2 ** 20;

/** Sequences of `context` tokens beside the weights, at vLLM's 0.9 of memory. */
export function sequencesThatFit(setting: Setting, context: Tokens, memoryBytesPerGpu: Bytes): number {
  const { model, tensorParallel, format } = setting;
  const weights = (weightBytes(model) / model.bytesPerWeight) * format.bytesPerWeight;
  const kvToken = (kvBytesPerToken(model) / model.bytesPerKvValue) * format.bytesPerKvValue;
  const kvShards = model.latent === undefined ? Math.min(tensorParallel, model.kvHeads) : 1;
  const room = memoryBytesPerGpu * 0.9 - weights / tensorParallel;
  const tokens = new WindowedAttention(model).decodeTokens(1, Math.max(1, context));
  const states = stateBytesPerSequence(model) / tensorParallel;
  return Math.max(0, Math.floor(room / ((tokens * kvToken) / kvShards + states)));
}

/** The ridge of each memory level for one precision; levels without a ceiling are absent. */
export function ridges(
  ceilings: Ceilings,
  precision: Precision,
): Readonly<Partial<Record<'hbm' | 'l2' | 'l1', number>>> {
  const peak = ceilings.compute[precision]?.value;
  const out: Partial<Record<'hbm' | 'l2' | 'l1', number>> = {};
  for (const level of ['hbm', 'l2', 'l1'] as const) {
    const bandwidth = ceilings.memory[level]?.value;
    if (peak !== undefined && bandwidth !== undefined) out[level] = ridge(peak, bandwidth);
  }
  return out;
}

const round = (value: number): number => Math.round(value * 10) / 10;
