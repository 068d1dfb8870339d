import { findTarget } from '../../../catalog/catalog.ts';
import { speculationOf } from '../../../catalog/speculativeDecoding.ts';
import { completeValues } from '../../../catalog/values.ts';
import { IterationShape } from '../../../cost/costModel.ts';
import { RooflineCost } from '../../../cost/rooflineCost.ts';
import { findModel } from '../../../model/models.ts';
import { type RunSpec, runSpec } from '../../../run/spec.ts';
import type { Summary } from '../../../run/summary.ts';
import { bestDraftLength } from '../../../serving/techniques/draftLength.ts';
import { generate } from '../../../traffic/generate.ts';
import { simEngine } from '../engine.ts';
import { tinyTraffic } from '../tinyRun.ts';

/** The figures that lessons of the model-side techniques quote; `scripts/bench-techniques.mjs` prints them. */

const nowhere = { wants: [], batch() {}, progress() {}, log() {} } as const;
type Values = Record<string, number | string | boolean>;

function specOf(target: string, variant: string, parameters: Values): RunSpec {
  const found = findTarget(target);
  if (found === undefined) throw new Error(`no target ${target}`);
  return found.spec({ variant, engine: 'sim', parameters, seed: 0, iterations: 1 });
}

function summaryOf(spec: RunSpec, traffic?: ReturnType<typeof tinyTraffic>): Summary {
  const run = simEngine.open(
    spec,
    (replicate) => {
      if (traffic !== undefined) return traffic;
      if (spec.traffic.kind === 'trace') throw new Error('a bench reads no trace');
      return generate(spec.traffic, spec.seed + replicate);
    },
    nowhere,
  );
  while (!run.step(Number.POSITIVE_INFINITY, 1_000_000));
  return run.finish();
}

/** One row per variant of a target: what it did at these parameters. */
export function variantRows(target: string, variants: readonly string[], parameters: Values) {
  return variants.map((variant) => {
    const summary = summaryOf(specOf(target, variant, parameters));
    return {
      variant,
      ttft_p95: summary.metrics.ttft_ms?.p95,
      tpot_mean: summary.metrics.tpot_ms?.mean,
      tpot_p95: summary.metrics.tpot_ms?.p95,
      e2e_p50: summary.metrics.e2e_ms?.p50,
      output_tokens_per_s: summary.output_tokens_per_s,
      goodput_rps: summary.goodput_rps,
      kv_peak: Math.max(...summary.per_instance.map((i) => i.kv_peak_fraction ?? 0)),
      kv_blocks: summary.per_instance[0]?.kv_blocks,
      preempted: summary.requests.preempted,
      ...summary.technique,
    };
  });
}

/** A batch of `sequences` that starts together and ends together: 512 prompt and 256 output tokens each. */
const closedBatch = (sequences: number) =>
  tinyTraffic(Array.from({ length: sequences }, () => ({ at: 0, prompt: 512, output: 256 })));

/** Decoding speed of a closed batch under speculation against none, for each length, and the length that the cost model asks for. */
export function draftLengths(sequences: number, alpha: number, lengths: readonly number[]) {
  const parameters: Values = {
    acceptance: alpha,
    acceptance_spread: 0,
    max_sequences: 512,
    max_batched_tokens: 8192,
    draft_length: 12,
  };
  const id = 'ch15:speculative_decoding';
  const traffic = closedBatch(sequences);
  const tpot = (variant: string, more: Values = {}): number =>
    summaryOf(runSpec.parse(specOf(id, variant, { ...parameters, ...more })), traffic).metrics.tpot_ms
      ?.mean ?? Number.NaN;
  const baseline = tpot('baseline');
  const target = findTarget(id);
  const spec = specOf(id, 'fixed', parameters);
  const first = spec.cluster.instances[0];
  const cost = first?.serves === 'modelled' ? first.cost : undefined;
  if (target === undefined || cost?.kind !== 'roofline') throw new Error('the lab has a roofline');
  const { draft } = speculationOf(completeValues(target.parameters, parameters), false);
  const small = draft.kind === 'model' ? findModel(draft.model) : undefined;
  if (small === undefined) throw new Error('the lab drafts with a model');
  const large = RooflineCost.forModel(cost, spec.cluster.model);
  const drafting = new RooflineCost({ ...cost, iteration_overhead_us: draft.overhead_us }, small);
  const shape = new IterationShape();
  shape.decodeSequences = sequences;
  // Half of the output behind the prompt.
  const context = sequences * (512 + 128);
  const roundNs = (length: number): number => {
    shape.decodeContextTokens = context;
    shape.decodeQueries = length + 1;
    let ns = large.iterationNs(shape);
    shape.decodeQueries = 1;
    for (let i = 0; i < length; i++) {
      shape.decodeContextTokens = context + i * sequences;
      ns += drafting.iterationNs(shape);
    }
    return ns;
  };
  return {
    sequences,
    alpha,
    baselineMs: baseline,
    speedups: lengths.map((draft_length) => baseline / tpot('fixed', { draft_length })),
    computed: bestDraftLength(alpha, 12, roundNs),
    adaptive: baseline / tpot('optimized'),
  };
}
