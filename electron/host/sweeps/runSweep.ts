import type { PointValues, SweepPoint } from '../../../workloads/harness/sweep/point.ts';
import { keyOf } from '../../../workloads/harness/sweep/point.ts';
import type { SweepPlan } from '../../../workloads/harness/sweep/sweepPlan.ts';
import type { RunSpec } from '../../../workloads/run/spec.ts';
import type { Summary } from '../../../workloads/run/summary.ts';
import { asHostError, RunFailure } from '../../shared/runFailure.ts';

export interface SweepWork {
  readonly plan: SweepPlan;
  /** Points of an earlier attempt, in order of their index: they are not run again. */
  readonly known: readonly SweepPoint[];
  /** Runs at once. */
  readonly jobs: number;
  readonly simulate: (spec: RunSpec) => Promise<Summary>;
  /** Called in order of the ends; a rejection stops the sweep. */
  readonly onPoint: (point: SweepPoint) => Promise<void>;
  readonly isCancelled: () => boolean;
}

/**
 * Runs the points that the search asks for, several at once; resolves with all points in order of their index. A point whose
 * run cannot be is kept with its reason. The points that the search asks for depend on results, never on the order in which runs finish.
 */
export async function runSweep(work: SweepWork): Promise<SweepPoint[]> {
  const { plan, jobs, isCancelled } = work;
  const found = new Map(work.known.map((p) => [p.index, p]));
  const tried: SweepPoint[] = [];
  for (;;) {
    const asked = plan.search.next(tried);
    if (asked.length === 0) return tried;
    const first = tried.length;
    let next = 0;
    const worker = async (): Promise<void> => {
      while (!isCancelled()) {
        const i = next++;
        const values = asked[i];
        if (values === undefined) return;
        const known = found.get(first + i);
        if (known !== undefined && keyOf(known.values) === keyOf(values)) continue;
        const made = await onePoint(work, first + i, values);
        if (made === undefined || isCancelled()) return;
        found.set(first + i, made);
        await work.onPoint(made);
      }
    };
    await Promise.all(Array.from({ length: Math.min(jobs, asked.length) }, worker));
    for (let i = 0; i < asked.length; i++) {
      const point = found.get(first + i);
      if (point !== undefined) tried.push(point);
    }
    if (isCancelled()) return tried;
  }
}

/** Undefined where it was cancelled on the way. */
async function onePoint(
  { plan, simulate, isCancelled }: SweepWork,
  index: number,
  values: PointValues,
): Promise<SweepPoint | undefined> {
  try {
    const spec = plan.runSpecOf(values);
    return plan.pointOf(index, values, spec, await simulate(spec));
  } catch (thrown) {
    if (isCancelled()) return undefined;
    const { code, message } = asHostError(thrown);
    // A setting that is impossible is a result of its own point; any other error would fail every point.
    if (code === 'bad_input') return plan.failedPoint(index, values, message);
    throw thrown instanceof Error ? thrown : new RunFailure({ code, message });
  }
}
