import type { ModelShape } from '../model/shape.ts';
import type { RooflinePoint } from './point.ts';
import { formatOf, type ServingFormat } from './precision.ts';
import { passCost, workByPrecision } from './serving.ts';

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
}

/** One point per instance and kind of pass, in that order. */
export function iterationPoints(
  columns: IterationColumns,
  settingOf: (instance: number) => InstanceSetting,
): RooflinePoint[] {
  interface Sum {
    readonly instance: number;
    readonly kind: Kind;
    matrixWork: number;
    attentionWork: number;
    bytes: number;
    timeNs: number;
    passes: number;
  }
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
    const { model, tensorParallel, format } = settingOf(instance);
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
      format ?? formatOf(model),
    );
    const key = `${instance}/${kind}`;
    const sum = sums.get(key) ?? {
      instance,
      kind,
      matrixWork: 0,
      attentionWork: 0,
      bytes: 0,
      timeNs: 0,
      passes: 0,
    };
    sums.set(key, sum);
    sum.matrixWork += passes * perPass.matrixWork;
    sum.attentionWork += passes * perPass.attentionWork;
    sum.bytes += passes * perPass.hbmBytes;
    sum.timeNs += (columns.endNs[i] ?? 0) - (columns.startNs[i] ?? 0);
    sum.passes += passes;
  }
  const order: readonly Kind[] = ['prefill', 'decode', 'mixed'];
  return [...sums.values()]
    .sort((a, b) => a.instance - b.instance || order.indexOf(a.kind) - order.indexOf(b.kind))
    .map((sum) => {
      const { model, tensorParallel, format } = settingOf(sum.instance);
      const notes = ['simulated: the time is the cost model’s, nothing was measured'];
      if (sum.kind !== 'decode')
        notes.push('attention of prompt tokens is left out: the table does not hold their prompts');
      return {
        id: `instance:${sum.instance}:${sum.kind}`,
        label: `instance ${sum.instance} · ${sum.kind}`,
        source: 'simulated' as const,
        work: workByPrecision(sum, format ?? formatOf(model)),
        bytes: { hbm: sum.bytes },
        timeNs: sum.timeNs,
        formula: [
          `sum over ${sum.passes} passes, per GPU of ${tensorParallel}: W, Q by serving.ts; T = Σ(end − start)`,
        ],
        notes,
      };
    });
}
