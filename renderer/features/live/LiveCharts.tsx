import { useEffect, useState } from 'react';
import type { Layer, LineLayer } from '../../charts/layers.ts';
import { StripChart } from '../../charts/StripChart.tsx';
import { TimeChart } from '../../charts/TimeChart.tsx';
import type { RunDetail } from '../../state/runDetails.ts';
import { steppedEnd, type TimeRange } from '../../state/timeRange.ts';
import { useWindow, useWorkbench } from '../../state/workbench.ts';
import { poolToken, variantToken } from '../../ui/variantColour.ts';
import { RunGpus } from '../gpu/GpuPanel.tsx';
import { FleetChart } from './FleetChart.tsx';
import styles from './Live.module.css';
import { LoadChart } from './LoadChart.tsx';
import { marksOf } from './liveMarks.ts';

interface LiveChartsProps {
  readonly variant: string;
  readonly baselineVariant: string;
  readonly engine: string;
  readonly isLog: boolean;
  readonly detail: RunDetail | undefined;
}

/** More rows than this are a wall, not a chart. */
const shownInstances = 32;

/** The charts of a run, all on one time axis. */
export function LiveCharts({ variant, baselineVariant, engine, isLog, detail }: LiveChartsProps) {
  const workbench = useWorkbench();
  const { live } = workbench;
  const pools = useSources('pool:');
  const instances = useSources('instance:');
  const gpus = useSources('gpu:');
  /** A run that measured kernels has these, and no requests. */
  const measured = useSources('variant:');
  useRefinement();
  const isSimulated = engine === 'sim';

  const whole = useWhole();
  const subscribe = (changed: () => void) =>
    live.onData(() => {
      if (!workbench.window.getState().frozen) changed();
    });
  const common = { isSimulated, whole, subscribe, marks: () => marksOf(live.data) };
  const token = variantToken(variant);
  const now = (source: string, metric: string) => () => live.data?.series(source, metric);
  const before = (source: string, metric: string) => () => live.baselineData?.series(source, metric);

  const latency = (metric: 'ttft_ms' | 'tpot_ms', slo: number | undefined): Layer[] => [
    {
      kind: 'band',
      id: 'tail',
      label: 'p95–p99',
      token,
      metric,
      lower: now('cluster', `${metric}.p95`),
      upper: now('cluster', `${metric}.p99`),
      opacity: 0.13,
      isQuiet: true,
    },
    {
      kind: 'band',
      id: 'body',
      label: 'p50–p95',
      token,
      metric,
      lower: now('cluster', `${metric}.p50`),
      upper: now('cluster', `${metric}.p95`),
      opacity: 0.26,
      isQuiet: true,
    },
    { kind: 'line', id: 'p50', label: 'p50', token, metric, series: now('cluster', `${metric}.p50`) },
    edge('p95', metric, token, now('cluster', `${metric}.p95`)),
    edge('p99', metric, token, now('cluster', `${metric}.p99`)),
    {
      kind: 'line',
      id: 'base-p50',
      label: 'p50 before',
      token: variantToken(baselineVariant),
      metric,
      series: before('cluster', `${metric}.p50`),
      isFaint: true,
      isQuiet: true,
    },
    {
      kind: 'line',
      id: 'base-p95',
      label: `${baselineVariant} p95`,
      token: variantToken(baselineVariant),
      metric,
      series: before('cluster', `${metric}.p95`),
      isFaint: true,
      isDashed: true,
      isQuiet: live.baselineData === undefined,
    },
    ...(slo === undefined
      ? []
      : [{ kind: 'threshold' as const, id: 'slo', label: 'SLO', token: '--fault', metric, value: slo }]),
  ];

  if (measured.length > 0)
    return (
      <div className={styles.charts} data-testid="live-charts">
        <TimeChart
          {...common}
          id="workload"
          title="Time of an iteration, the variants in turn"
          metric="workload_ms"
          height={180}
          source={`${engine}, the device’s own clock`}
          layers={measured.map((source): LineLayer => {
            const name = source.slice('variant:'.length);
            return {
              kind: 'line',
              id: source,
              label: name,
              token: variantToken(name),
              metric: 'workload_ms',
              series: now(source, 'workload_ms'),
            };
          })}
        />
        <RunGpus
          isSimulated={false}
          gpus={gpus}
          instances={instances}
          whole={whole}
          instanceName={(number) => `#${number}`}
        />
      </div>
    );

  return (
    <div className={styles.charts} data-testid="live-charts">
      <TimeChart
        {...common}
        id="ttft"
        title="TTFT"
        metric="ttft_ms"
        height={150}
        isLog={isLog}
        layers={latency('ttft_ms', detail?.slo.ttft_ms)}
        source={`${engine}, sliding window over the cluster`}
      />
      <TimeChart
        {...common}
        id="tpot"
        title="TPOT"
        metric="tpot_ms"
        height={150}
        isLog={isLog}
        layers={latency('tpot_ms', detail?.slo.tpot_ms)}
        source={`${engine}, sliding window over the cluster`}
      />
      {pools.map((source) => {
        const pool = source.slice('pool:'.length);
        const colour = poolToken(pool);
        return (
          <TimeChart
            {...common}
            key={source}
            id={`pool-${pool}`}
            title={`${pool} pool`}
            metric="queue_depth"
            height={96}
            source={`${engine}, ${source}`}
            layers={[
              {
                kind: 'line',
                id: 'kv',
                label: 'KV in use',
                token: '--text-3',
                metric: 'kv_used',
                series: now(source, 'kv_used'),
                isFilled: true,
                isOnRight: true,
              },
              {
                kind: 'line',
                id: 'running',
                label: 'running',
                token: colour,
                metric: 'running',
                series: now(source, 'running'),
                isFaint: true,
              },
              {
                kind: 'line',
                id: 'queue',
                label: 'queue',
                token: colour,
                metric: 'queue_depth',
                series: now(source, 'queue_depth'),
              },
              {
                kind: 'line',
                id: 'base-queue',
                label: 'queue before',
                token: variantToken(baselineVariant),
                metric: 'queue_depth',
                series: before(source, 'queue_depth'),
                isFaint: true,
                isQuiet: true,
              },
            ]}
          />
        );
      })}
      <FleetChart {...common} pools={pools} engine={engine} baselineVariant={baselineVariant} />
      <LoadChart {...common} pools={pools} engine={engine} />
      <TimeChart
        {...common}
        id="rates"
        title="Arrivals and goodput"
        metric="goodput_rps"
        height={110}
        source={`${engine}, cluster`}
        layers={[
          {
            kind: 'line',
            id: 'arrivals',
            label: 'arrivals',
            token: '--text-3',
            metric: 'arrivals_rps',
            series: now('cluster', 'arrivals_rps'),
          },
          {
            kind: 'line',
            id: 'goodput',
            label: 'goodput',
            token,
            metric: 'goodput_rps',
            series: now('cluster', 'goodput_rps'),
          },
          {
            kind: 'line',
            id: 'base-goodput',
            label: `${baselineVariant}`,
            token: variantToken(baselineVariant),
            metric: 'goodput_rps',
            series: before('cluster', 'goodput_rps'),
            isFaint: true,
            isDashed: true,
            isQuiet: live.baselineData === undefined,
          },
        ]}
      />
      <TimeChart
        {...common}
        id="utilisation"
        title="Utilisation"
        metric="busy"
        height={110}
        max={1}
        source={`${engine}, mean over the pool`}
        layers={pools.flatMap((source): LineLayer[] => {
          const pool = source.slice('pool:'.length);
          const prefix = pools.length > 1 ? `${pool} ` : '';
          return [
            {
              kind: 'line',
              id: `${source}-busy`,
              label: `${prefix}busy`,
              token: poolToken(pool),
              metric: 'busy',
              series: now(source, 'busy'),
              isFaint: true,
            },
            {
              kind: 'line',
              id: `${source}-compute`,
              label: `${prefix}compute`,
              // Where there are several pools the colour says which, and the line which figure.
              token: pools.length > 1 ? poolToken(pool) : '--series-6',
              metric: 'compute_util',
              series: now(source, 'compute_util'),
            },
            {
              kind: 'line',
              id: `${source}-memory`,
              label: `${prefix}memory`,
              token: pools.length > 1 ? poolToken(pool) : '--series-3',
              metric: 'memory_util',
              series: now(source, 'memory_util'),
              isDashed: true,
            },
          ];
        })}
      />
      <RunGpus
        isSimulated={isSimulated}
        gpus={gpus}
        instances={instances}
        whole={whole}
        instanceName={(number) => detail?.instances[number]?.name ?? `#${number}`}
      />
      {instances.length > 0 && (
        <StripChart
          {...common}
          id="busy"
          title="Busy, per instance"
          token={token}
          source={`${engine}, share of time with an iteration in progress`}
          rows={instances.slice(0, shownInstances).map((source): LineLayer => {
            const number = Number(source.slice('instance:'.length));
            return {
              kind: 'line',
              id: source,
              label: detail?.instances[number]?.name ?? `#${number}`,
              token,
              metric: 'busy',
              series: now(source, 'busy'),
            };
          })}
        />
      )}
    </div>
  );
}

/** The edge of a band: drawn by the band, named in legend and tooltip. */
function edge(id: string, metric: string, token: string, series: LineLayer['series']): LineLayer {
  return { kind: 'line', id, label: id, token, metric, series, isFaint: true };
}

/** Sources come with the data; React hears of them when there is a new one. */
function useSources(prefix: string): readonly string[] {
  const { live } = useWorkbench();
  const [sources, setSources] = useState<readonly string[]>(() => live.data?.sources(prefix) ?? []);
  useEffect(() => {
    const look = () => {
      const next = live.data?.sources(prefix) ?? [];
      setSources((known) => (known.join() === next.join() ? known : next));
    };
    look();
    return live.onData(look);
  }, [live, prefix]);
  return sources;
}

/** All the time there is; while frozen, all there was. */
function useWhole(): () => TimeRange {
  const { live, window: store } = useWorkbench();
  const frozen = useWindow((state) => state.frozen);
  const [frozenEnd, setFrozenEnd] = useState<number>();
  useEffect(() => {
    setFrozenEnd(frozen ? live.data?.endMs : undefined);
  }, [frozen, live]);
  return () => {
    const isFrozen = store.getState().frozen && frozenEnd !== undefined;
    const endMs = Math.max(1000, isFrozen ? frozenEnd : (live.data?.endMs ?? 0));
    const isGrowing = live.store.getState().mode === 'live';
    return {
      fromMs: 0,
      toMs: Math.max(isGrowing ? steppedEnd(endMs) : endMs, live.baselineData?.endMs ?? 0),
    };
  };
}

/** A stored run is asked again at the resolution of the range. */
function useRefinement(): void {
  const { live } = useWorkbench();
  const range = useWindow((state) => state.ranges.at(-1));
  useEffect(() => {
    const timer = setTimeout(() => void live.refine(range), 150);
    return () => clearTimeout(timer);
  }, [live, range]);
}
