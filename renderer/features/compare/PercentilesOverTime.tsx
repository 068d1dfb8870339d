import { useEffect, useRef } from 'react';
import { useStore } from 'zustand';
import type { Layer } from '../../charts/layers.ts';
import { TimeChart } from '../../charts/TimeChart.tsx';
import type { RunData } from '../../state/runData.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { Breadcrumb } from '../live/Breadcrumb.tsx';
import styles from './Compare.module.css';

/** TTFT and TPOT percentiles of both runs on one time axis. */
export function PercentilesOverTime({ baseline, optimized, names, tokens, isSimulated }: ComparedPair) {
  const { live, settings } = useWorkbench();
  const isLog = useStore(settings, (state) => state.logLatency);
  const data = useRef<{ baseline?: RunData; optimized?: RunData }>({});
  const listeners = useRef(new Set<() => void>());
  const [left, right] = [baseline.run, optimized.run];

  useEffect(() => {
    let isCurrent = true;
    data.current = {};
    const take = (side: 'baseline' | 'optimized', run: string) =>
      live.load(run).then(
        (loaded) => {
          if (!isCurrent) return;
          data.current[side] = loaded;
          for (const listener of listeners.current) listener();
        },
        // The comparison above it reads the same two runs, and shows what is wrong with them.
        () => undefined,
      );
    void take('baseline', left);
    void take('optimized', right);
    return () => {
      isCurrent = false;
    };
  }, [live, left, right]);

  const subscribe = (changed: () => void) => {
    listeners.current.add(changed);
    return () => listeners.current.delete(changed);
  };
  const whole = () => ({
    fromMs: 0,
    toMs: Math.max(1000, data.current.baseline?.endMs ?? 0, data.current.optimized?.endMs ?? 0),
  });
  const layers = (metric: string): Layer[] =>
    (['baseline', 'optimized'] as const).flatMap((side): Layer[] => {
      const [name, token] = side === 'baseline' ? [names[0], tokens[0]] : [names[1], tokens[1]];
      const series = (statistic: string) => () =>
        data.current[side]?.series('cluster', `${metric}.${statistic}`);
      return [
        {
          kind: 'line',
          id: `${side}-p50`,
          label: `${name} p50`,
          token,
          metric,
          series: series('p50'),
          isDashed: side === 'baseline',
        },
        {
          kind: 'line',
          id: `${side}-p95`,
          label: 'p95',
          token,
          metric,
          series: series('p95'),
          isFaint: true,
          isDashed: side === 'baseline',
        },
      ];
    });
  const common = { isSimulated, whole, subscribe, isLog, height: 130 };
  return (
    <section className={styles.stack} aria-label="Percentiles over time">
      <div className={styles.sectionHead}>
        <h2>Over time</h2>
        <Breadcrumb />
      </div>
      <TimeChart
        {...common}
        id="compare-ttft"
        title="TTFT"
        metric="ttft_ms"
        layers={layers('ttft_ms')}
        source="sliding window over the cluster"
      />
      <TimeChart
        {...common}
        id="compare-tpot"
        title="TPOT"
        metric="tpot_ms"
        layers={layers('tpot_ms')}
        source="sliding window over the cluster"
      />
    </section>
  );
}
