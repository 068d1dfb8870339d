import type { ModelShape } from '../model/shape.ts';
import type { RooflinePoint } from './point.ts';
import { formatOf, type ServingFormat } from './precision.ts';
import { type ExpertSpread, passCost, workByPrecision } from './serving.ts';

/**
 * Points of a simulated run from its `iterations` table. A row is n like passes of one instance; row by row the formulas
 * of `serving.ts` give work and bytes, and the rows of one kind are summed:
 *
 *     decode of n passes, S sequences, C tokens of context at the first:  Σ context = n·C + S·n(n−1)/2
 *
 * The table does not say which prompts a pass computed, so the attention pairs of prefill tokens are left out; that is
 * noted on the point. Time is the simulator's: the point shows where its cost model lands, not a measurement.
 */
export interface IterationColumns {
  readonly rows: number;
  readonly instance: ArrayLike<number>;
  readonly startNs: ArrayLike<number>;
  readonly endNs: ArrayLike<number>;
  readonly passes: ArrayLike<number>;
  readonly prefillTokens: ArrayLike<number>;
  readonly decodeSequences: ArrayLike<number>;
  readonly contextTokens: ArrayLike<number>;
}

type Kind = 'prefill' | 'decode' | 'mixed';

export interface InstanceSetting {
  readonly model: ModelShape;
  readonly tensorParallel: number;
  readonly format?: ServingFormat;
  /** Instances that share GPUs (stages of a pipeline) or each other's experts: one point of them all, as no rank has a time of its own. */
  readonly group?: PassGroup;
  /** Share of the layers that every token passes: early exit leaves the rest out. */
  readonly leastDepth?: number;
}

export interface PassGroup {
  readonly name: string;
  /** Tensor-parallel groups of GPUs in it: data-parallel ranks, or stages. */
  readonly parts: number;
  /** Absent: stages. */
  readonly experts?: ExpertSpread;
}

interface Sum {
  readonly setting: InstanceSetting;
  readonly instance: number;
  readonly kind: Kind | 'group';
  matrixWork: number;
  attentionWork: number;
  bytes: number;
  timeNs: number;
  passes: number;
  /** Of a group: starts and ends of its members' rows, whose union is its busy time. */
  readonly spans: [number, number][];
}

const order: readonly (Kind | 'group')[] = ['prefill', 'decode', 'mixed', 'group'];

/** One point per instance and kind of pass, in that order; one per group. */
export function iterationPoints(
  columns: IterationColumns,
  settingOf: (instance: number) => InstanceSetting,
): RooflinePoint[] {
  const sums = new Map<string, Sum>();
  for (let i = 0; i < columns.rows; i += 1) {
    const instance = columns.instance[i] ?? 0;
    const passes = Math.max(1, columns.passes[i] ?? 1);
    const prefill = columns.prefillTokens[i] ?? 0;
    const sequences = columns.decodeSequences[i] ?? 0;
    if (prefill <= 0 && sequences <= 0) continue;
    const kind: Kind = prefill <= 0 ? 'decode' : sequences <= 0 ? 'prefill' : 'mixed';
    const context = Number.isFinite(columns.contextTokens[i]) ? (columns.contextTokens[i] ?? 0) : 0;
    // Context of an average pass: each pass adds one token per sequence.
    const meanContext = context + (sequences * (passes - 1)) / 2;
    const setting = settingOf(instance);
    const { model, tensorParallel, format = formatOf(model), group, leastDepth = 1 } = setting;
    const perPass = passCost(
      model,
      {
        tokens: prefill / passes + sequences,
        sequences,
        pairs: meanContext,
        kvRead: meanContext,
        kvWritten: prefill / passes + sequences,
      },
      tensorParallel,
      format,
      group?.experts,
    );
    const key = group === undefined ? `${instance}/${kind}` : `group ${group.name}`;
    const sum = sums.get(key) ?? {
      setting,
      instance,
      kind: group === undefined ? kind : 'group',
      matrixWork: 0,
      attentionWork: 0,
      bytes: 0,
      timeNs: 0,
      passes: 0,
      spans: [],
    };
    sums.set(key, sum);
    const share = (passes * leastDepth) / (group?.parts ?? 1);
    sum.matrixWork += share * perPass.matrixWork;
    sum.attentionWork += share * perPass.attentionWork;
    sum.bytes += share * perPass.hbmBytes;
    const [start, end] = [columns.startNs[i] ?? 0, columns.endNs[i] ?? 0];
    if (group === undefined) sum.timeNs += end - start;
    else sum.spans.push([start, end]);
    sum.passes += passes;
  }
  return [...sums.values()]
    .sort((a, b) => a.instance - b.instance || order.indexOf(a.kind) - order.indexOf(b.kind))
    .map(pointOf);
}

function pointOf(sum: Sum): RooflinePoint {
  const { model, tensorParallel, format = formatOf(model), group, leastDepth } = sum.setting;
  const notes = ['simulated: the time is the cost model’s, nothing was measured'];
  if (sum.kind !== 'decode')
    notes.push('attention of prompt tokens is left out: the table does not hold their prompts');
  if (leastDepth !== undefined)
    notes.push('tokens may leave before the last layer: counted up to the first exit, a lower bound');
  if (group !== undefined)
    notes.push(
      group.experts === undefined
        ? 'stages of one pipeline: the mean over their GPUs, time with any micro-batch under way'
        : 'ranks that share their experts run in lockstep: the mean over their GPUs',
    );
  const gpus = tensorParallel * (group?.parts ?? 1);
  return {
    id: group === undefined ? `instance:${sum.instance}:${sum.kind}` : `instance:${sum.instance}:group`,
    label: group === undefined ? `instance ${sum.instance} · ${sum.kind}` : `${group.name} · all passes`,
    source: 'simulated' as const,
    work: workByPrecision(sum, format),
    bytes: { hbm: sum.bytes },
    timeNs: group === undefined ? sum.timeNs : unionNs(sum.spans),
    formula: [`sum over ${sum.passes} passes, per GPU of ${gpus}: W, Q by serving.ts; T = Σ(end − start)`],
    notes,
  };
}

/** Length of the union of intervals. */
function unionNs(spans: [number, number][]): number {
  spans.sort((a, b) => a[0] - b[0]);
  let total = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const [start, end] of spans) {
    if (end <= until) continue;
    total += end - Math.max(start, until);
    until = end;
  }
  return total;
}
