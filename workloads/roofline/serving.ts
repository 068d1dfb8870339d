import {
  alwaysReadWeights,
  attentionFlopsPerPair,
  expertWeights,
  headWeights,
  kvBytesPerToken,
  layerFlopsPerToken,
  type ModelShape,
} from '../model/shape.ts';
import { recurrenceFlopsPerToken, stateBytesPerSequence, WindowedAttention } from '../model/windowed.ts';
import type { Bytes, Flop, Tokens } from '../units.ts';
import type { RooflinePoint } from './point.ts';
import { formatOf, type Precision, type ServingFormat } from './precision.ts';

/**
 * One forward pass of a served model, per GPU of its tensor-parallel group:
 *
 *     W = tokens·W_layers + sequences·2·H + pairs·W_pair            H: weights of lm_head; one logit row per sequence
 *     Q = weights read once + KV read + KV written + embedding rows  HBM bytes
 *
 *     decode  (batch B, context C)           tokens B, pairs B·C, KV read B·C, KV written B
 *     prefill (batch B, prompt P, cached A)  tokens B·P, pairs B·(P·A + P(P+1)/2), KV read B·(A+P), KV written B·P
 *
 * Each rank has 1/TP of the work and of the weights. KV heads are shared out too, but no further than there are: beyond
 * `kvHeads` ranks each keeps a copy, and a latent cache (one vector for all heads) is kept whole by every rank.
 * Experts: a pass of t tokens touches E·(1 − (1 − k/E)^t) of E experts (uniform routing) and reads those.
 *
 * Layers with a window of W see no more than W tokens of context: min(context, W) of KV and as many pairs per token. Layers without
 * KV (linear attention) read and write a state of fixed size per sequence.
 *
 * Left out, and named in `notes`: activations (they live in L2 at decode sizes), all-reduce traffic (NVLink, not a level
 * of this roof), and re-reading of KV tiles by attention kernels, which L2 serves. So Q is a lower bound. A pass is one
 * point, as if its kernels overlapped; the simulator bounds matrices, attention and lm_head apart and adds them.
 */
export type Pass =
  | { readonly phase: 'decode'; readonly batch: number; readonly context: Tokens }
  | { readonly phase: 'prefill'; readonly batch: number; readonly prompt: Tokens; readonly cached?: Tokens };

export interface PassCost {
  /** All of it: `matrixWork` in the format's precision, `attentionWork` in BF16. */
  readonly work: Flop;
  readonly matrixWork: Flop;
  readonly attentionWork: Flop;
  readonly hbmBytes: Bytes;
  readonly weightBytes: Bytes;
  readonly kvReadBytes: Bytes;
  readonly kvWrittenBytes: Bytes;
  /** What each rank sends in the pass's all-reduces (two per layer, ring: 2·(TP−1)/TP of the tensor). */
  readonly allReduceBytes: Bytes;
  readonly tokens: Tokens;
}

/** (1 − k/E)^t by repeated squaring: `Math.pow` differs between engines. */
function power(base: number, exponent: number): number {
  let result = 1;
  let square = base;
  for (let n = Math.floor(exponent); n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}

/** Expected number of routed experts per layer that t tokens touch; `skew` is the Zipf exponent of their popularity, 0 even. */
export function expertsTouched(model: ModelShape, tokens: Tokens, skew = 0): number {
  if (model.experts === undefined) return 0;
  const { count, perToken } = model.experts;
  if (skew === 0) return count * (1 - power(1 - perToken / count, tokens));
  const weights = Array.from({ length: count }, (_, rank) => Math.exp(-skew * Math.log(rank + 1)));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.reduce(
    (touched, weight) => touched + 1 - power(1 - Math.min(1, (perToken * weight) / sum), tokens),
    0,
  );
}

/** Experts divided over more GPUs than a tensor-parallel group: `ranks` groups share them, and each sends its tokens to all. */
export interface ExpertSpread {
  readonly ranks: number;
  /** Zipf exponent of the experts' popularity. */
  readonly skew: number;
}

/** Tokens, (query, key) pairs and KV traffic: what a pass asks of any model. */
export interface PassCounts {
  readonly tokens: Tokens;
  readonly sequences: number;
  readonly pairs: number;
  readonly kvRead: Tokens;
  readonly kvWritten: Tokens;
  /** Prompt tokens among `tokens`, and the sequences that they belong to: windows cut prompts otherwise than decoding. */
  readonly prompt?: { readonly tokens: Tokens; readonly sequences: number };
}

/** Pairs and KV tokens read, counted over all KV layers as one. */
function seen(model: ModelShape, counts: PassCounts): { readonly pairs: number; readonly kvRead: number } {
  const windowed = new WindowedAttention(model);
  const { pairs, kvRead, sequences, prompt } = counts;
  if (windowed.isPlain) return { pairs, kvRead };
  if (prompt === undefined) {
    const within = windowed.decodeTokens(sequences, kvRead);
    return { pairs: kvRead === 0 ? pairs : (pairs * within) / kvRead, kvRead: within };
  }
  // Prompts alike: one of them, times their number.
  const each = prompt.tokens / prompt.sequences;
  return {
    pairs: prompt.sequences * windowed.promptPairs(each, pairs / prompt.sequences),
    kvRead: prompt.sequences * windowed.promptContext(each, kvRead / prompt.sequences),
  };
}

export function countsOf(pass: Pass): PassCounts {
  switch (pass.phase) {
    case 'decode':
      return {
        tokens: pass.batch,
        sequences: pass.batch,
        pairs: pass.batch * pass.context,
        kvRead: pass.batch * pass.context,
        kvWritten: pass.batch,
      };
    case 'prefill': {
      const cached = pass.cached ?? 0;
      const tokens = pass.batch * pass.prompt;
      return {
        tokens,
        sequences: pass.batch,
        pairs: pass.batch * (pass.prompt * cached + (pass.prompt * (pass.prompt + 1)) / 2),
        kvRead: pass.batch * (cached + pass.prompt),
        kvWritten: tokens,
        prompt: { tokens, sequences: pass.batch },
      };
    }
  }
}

export function passCost(
  model: ModelShape,
  counts: PassCounts,
  tensorParallel = 1,
  format: ServingFormat = formatOf(model),
  { ranks, skew }: ExpertSpread = { ranks: 1, skew: 0 },
): PassCost {
  const matrixWork =
    (counts.tokens * (layerFlopsPerToken(model) + recurrenceFlopsPerToken(model)) +
      counts.sequences * 2 * headWeights(model)) /
    tensorParallel;
  const { pairs, kvRead } = seen(model, counts);
  const attentionWork = (pairs * attentionFlopsPerPair(model)) / tensorParallel;
  const expertShare =
    model.experts === undefined
      ? 0
      : expertsTouched(model, counts.tokens * ranks, skew) / model.experts.count / ranks;
  const weights = alwaysReadWeights(model) + expertShare * expertWeights(model) + headWeights(model);
  const weightBytes = (weights * format.bytesPerWeight) / tensorParallel;
  const kvShards = model.latent === undefined ? Math.min(tensorParallel, model.kvHeads) : 1;
  const kvToken = (kvBytesPerToken(model) / model.bytesPerKvValue) * format.bytesPerKvValue;
  const states = (counts.sequences * stateBytesPerSequence(model)) / tensorParallel;
  const kvReadBytes = (kvRead * kvToken) / kvShards + states;
  const kvWrittenBytes = (counts.kvWritten * kvToken) / kvShards + states;
  const embeddingRows = (counts.tokens * model.hidden * format.bytesPerWeight) / tensorParallel;
  const ring = (2 * (tensorParallel - 1)) / tensorParallel;
  return {
    work: matrixWork + attentionWork,
    matrixWork,
    attentionWork,
    hbmBytes: weightBytes + kvReadBytes + kvWrittenBytes + embeddingRows,
    weightBytes,
    kvReadBytes,
    kvWrittenBytes,
    allReduceBytes: ring * 2 * model.layers * counts.tokens * model.hidden * 2,
    tokens: counts.tokens,
  };
}

/** Attention multiplies in BF16 whatever the weights are held in, as the simulator's cost model has it. */
export function workByPrecision(
  cost: Pick<PassCost, 'matrixWork' | 'attentionWork'>,
  format: ServingFormat,
): Partial<Record<Precision, Flop>> {
  if (format.compute === 'bf16') return { bf16: cost.matrixWork + cost.attentionWork };
  return {
    [format.compute]: cost.matrixWork,
    ...(cost.attentionWork > 0 ? { bf16: cost.attentionWork } : {}),
  };
}

export function passPoint(
  model: ModelShape,
  pass: Pass,
  tensorParallel = 1,
  format: ServingFormat = formatOf(model),
): RooflinePoint {
  const cost = passCost(model, countsOf(pass), tensorParallel, format);
  const size =
    pass.phase === 'decode'
      ? `batch ${pass.batch}, context ${pass.context}`
      : `batch ${pass.batch}, prompt ${pass.prompt}${pass.cached ? `, cached ${pass.cached}` : ''}`;
  const perGpu = tensorParallel > 1 ? ` per GPU of ${tensorParallel}` : '';
  const notes = ['activations are taken to stay in L2; HBM bytes are a lower bound'];
  if (tensorParallel > 1)
    notes.push(`each GPU also sends ${scaled(cost.allReduceBytes)} in all-reduces, outside this roof`);
  if (model.unmodelled !== undefined) notes.push(`${model.label}: ${model.unmodelled}`);
  if (model.experts !== undefined) notes.push('experts touched: expected number under uniform routing');
  return {
    id: `${model.id}:${format.id}:${pass.phase}:${size}:tp${tensorParallel}`,
    label: `${pass.phase} · ${size}`,
    source: 'analytic',
    work: workByPrecision(cost, format),
    bytes: { hbm: cost.hbmBytes },
    formula: [
      `W = ${scaled(cost.work, 'FLOP')}${perGpu}: tokens·W_layers + sequences·2·H + pairs·W_pair`,
      `Q_HBM = ${scaled(cost.hbmBytes)}${perGpu}: weights ${scaled(cost.weightBytes)} + KV read ${scaled(cost.kvReadBytes)} + KV written ${scaled(cost.kvWrittenBytes)}`,
      `AI = W / Q = ${Math.round((cost.work / cost.hbmBytes) * 100) / 100} FLOP/B`,
    ],
    notes,
  };
}

/** `15.009 GB`, `131.072 MB`: formulas are read by people. */
function scaled(value: number, unit = 'B'): string {
  const [prefix, size] = value >= 1e9 ? ['G', 1e9] : value >= 1e6 ? ['M', 1e6] : ['k', 1e3];
  return `${Math.round((value / size) * 1e3) / 1e3} ${prefix}${unit}`;
}
