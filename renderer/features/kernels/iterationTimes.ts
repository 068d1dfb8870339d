import { useEffect, useState } from 'react';
import type { Page, RunInfo } from '../../../electron/contract/protocol.ts';
import { SampleSeries } from '../../state/sampleSeries.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { variantToken } from '../../ui/variantColour.ts';

/** The measured iterations of one variant of one run. */
export interface IterationTimes {
  readonly run: string;
  readonly variant: string;
  /** `optimized`; `A · optimized` where two runs are on screen. */
  readonly label: string;
  readonly token: string;
  readonly isDashed: boolean;
  /** ms, ascending. */
  readonly sorted: Float64Array;
  /** Time since the run's start, ms, against duration, ms. */
  readonly series: SampleSeries;
}

const mostRows = 10_000;

/** Rows of the `kernels` table as one entry per variant, in the order in which they ran. */
export function timesOf(page: Page): readonly Pick<IterationTimes, 'variant' | 'sorted' | 'series'>[] {
  const column = (name: string) => page.columns.find((each) => each.name === name)?.values ?? [];
  const [round, variants] = [column('iteration'), column('variant')];
  const [start, took] = [column('start_ns'), column('duration_ns')];
  const found = new Map<string, { readonly ms: number[]; readonly series: SampleSeries }>();
  variants.forEach((value, row) => {
    // Rounds of the warm-up have no number.
    if (typeof round[row] !== 'number') return;
    const variant = String(value);
    let own = found.get(variant);
    if (own === undefined) {
      own = { ms: [], series: new SampleSeries() };
      found.set(variant, own);
    }
    const ms = Number(took[row]) / 1e6;
    own.ms.push(ms);
    own.series.append(Number(start[row]) / 1e6, ms);
  });
  return [...found].map(([variant, { ms, series }]) => ({
    variant,
    sorted: Float64Array.from(ms).sort(),
    series,
  }));
}

/** Of one run (given twice) or of two. */
export function useIterationTimes(baseline: RunInfo, optimized: RunInfo): readonly IterationTimes[] {
  const { client } = useWorkbench();
  const [times, setTimes] = useState<readonly IterationTimes[]>([]);
  const [left, right] = [baseline.run, optimized.run];
  useEffect(() => {
    let isCurrent = true;
    const isOneRun = left === right;
    const load = async (run: string, index: number): Promise<IterationTimes[]> => {
      const page = await client.request('runs.rows', {
        run,
        table: 'kernels',
        filter: [{ column: 'kind', op: '=', value: 'iteration' }],
        order: 'start_ns',
        limit: mostRows,
      });
      return timesOf(page).map((own) => ({
        ...own,
        run,
        label: isOneRun ? own.variant : `${'AB'[index]} · ${own.variant}`,
        token: variantToken(own.variant),
        isDashed: !isOneRun && index === 0,
      }));
    };
    const runs = isOneRun ? [left] : [left, right];
    void Promise.allSettled(runs.map(load)).then((results) => {
      if (isCurrent)
        setTimes(results.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])));
    });
    return () => {
      isCurrent = false;
    };
  }, [client, left, right]);
  return times;
}
