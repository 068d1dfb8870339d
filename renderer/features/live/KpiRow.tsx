import { Tooltip } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { formatMetric, metricParts } from '../../../workloads/metrics/format.ts';
import { metricLabel, metricOf } from '../../../workloads/metrics/registry.ts';
import type { Summary } from '../../../workloads/run/summary.ts';
import { copy } from '../../state/actions.ts';
import { change } from '../../state/number.ts';
import { clockText } from '../../state/timeRange.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { pathOf } from '../../ui/Sparkline.tsx';
import { type Kpi, kpis, recentValues, seriesFor, valueAt, wholeRunFigures } from './kpis.ts';
import styles from './Live.module.css';

const updateEveryMs = 200;
const sparkWidth = 96;
const sparkHeight = 22;

interface Shown {
  readonly isSimulated: boolean;
  /** Of the run on screen and of the pinned baseline, once they have ended. */
  readonly summary: Summary | undefined;
  readonly baselineSummary: Summary | undefined;
}

/** The six numbers of a run: of its sliding window while it goes on, of the whole run when it has ended. */
export function KpiRow(shown: Shown) {
  return (
    <section className={styles.kpis} aria-label="Key figures">
      {kpis.map((kpi) => (
        <KpiTile key={kpi.id} kpi={kpi} {...shown} />
      ))}
    </section>
  );
}

/** Written to directly, five times a second at most. */
function KpiTile({ kpi, isSimulated, summary, baselineSummary }: Shown & { readonly kpi: Kpi }) {
  const workbench = useWorkbench();
  const tile = useRef<HTMLButtonElement>(null);
  const number = useRef<HTMLSpanElement>(null);
  const unit = useRef<HTMLSpanElement>(null);
  const delta = useRef<HTMLSpanElement>(null);
  const spark = useRef<SVGPathElement>(null);
  const minors = useRef(new Map<string, HTMLSpanElement>());
  const metric = metricOf(kpi.id);

  useEffect(() => {
    let seen = '';
    const update = () => {
      const { data, baselineData } = workbench.live;
      const { ranges } = workbench.window.getState();
      const range = ranges.at(-1);
      const version = `${data?.run} ${data?.version} ${baselineData?.version} ${range?.fromMs} ${range?.toMs}`;
      if (data === undefined || version === seen) return;
      seen = version;
      const at = Math.min(range?.toMs ?? data.endMs, data.endMs);
      const series = seriesFor(data, kpi.main, kpi.over);
      // A brushed range shows the window that ends with it; else a run that has ended shows its own figures.
      const whole = range === undefined ? wholeRunFigures(summary, data) : undefined;
      const figureOf = (id: string) =>
        whole === undefined
          ? valueAt(seriesFor(data, id, kpi.over), kpi.over, at)
          : (whole.get(id) ?? Number.NaN);
      const value = figureOf(kpi.main);
      const parts = metricParts(kpi.main, value);
      if (number.current !== null) number.current.textContent = parts.number;
      if (unit.current !== null) unit.current.textContent = parts.unit;
      if (tile.current !== null) {
        tile.current.dataset['value'] = Number.isFinite(value) ? String(value) : '';
        tile.current.dataset['at'] = clockText(at);
      }
      for (const minor of kpi.minor) {
        const element = minors.current.get(minor);
        const known = figureOf(minor);
        if (element !== undefined) element.textContent = minorText(minor, known, parts.unit);
      }
      spark.current?.setAttribute(
        'd',
        sparkPath(recentValues(series, kpi.over, range?.fromMs ?? Math.max(0, at - 600_000), at, 60)),
      );
      if (delta.current !== null)
        writeDelta(
          delta.current,
          value,
          baselineData === undefined
            ? Number.NaN
            : whole === undefined
              ? valueAt(seriesFor(baselineData, kpi.main, kpi.over), kpi.over, at)
              : (wholeRunFigures(baselineSummary, baselineData)?.get(kpi.main) ?? Number.NaN),
          metric.better,
        );
    };
    update();
    const timer = setInterval(update, updateEveryMs);
    return () => clearInterval(timer);
  }, [workbench, kpi, metric, summary, baselineSummary]);

  const copyExact = () => {
    const value = tile.current?.dataset['value'] ?? '';
    if (value !== '')
      void copy(
        workbench,
        `${metricLabel(kpi.main)}\t${value}\t${metric.unit}\tt=${tile.current?.dataset['at']}`,
        'Value copied',
      );
  };
  return (
    <Tooltip
      label={
        <div>
          <div>{metric.definition}.</div>
          <div className={styles.tipFoot}>
            {summary === undefined
              ? 'Sliding window of the run in progress'
              : `Whole run, n = ${summary.requests.completed.toLocaleString('en')} completed requests; interval in Compare`}
            , unit {metric.unit}
            {isSimulated ? ', simulated' : ', measured'}. Click copies the exact value.
          </div>
        </div>
      }
    >
      <button
        type="button"
        ref={tile}
        className={styles.kpi}
        data-testid={`kpi-${kpi.id}`}
        onClick={copyExact}
      >
        <span className={styles.kpiHead}>
          {kpi.label ?? metric.label}
          {kpi.main.endsWith('.p50') && <span className={styles.kpiStatistic}>p50</span>}
          <span ref={delta} className={styles.kpiDelta} />
        </span>
        <span className={styles.kpiValue}>
          <span ref={number}>–</span>
          <span ref={unit} className={styles.kpiUnit} />
          <svg
            className={styles.kpiSpark}
            width={sparkWidth}
            height={sparkHeight}
            viewBox={`0 0 ${sparkWidth} ${sparkHeight}`}
            preserveAspectRatio="none"
            aria-hidden="true"
          >
            <path
              ref={spark}
              fill="none"
              stroke="var(--text-3)"
              strokeWidth={1.2}
              vectorEffect="non-scaling-stroke"
            />
          </svg>
        </span>
        <span className={styles.kpiMinor}>
          {kpi.minor.map((minor) => (
            <span key={minor}>
              {minorLabel(minor)}{' '}
              <span
                className={styles.kpiMinorValue}
                ref={(element) => {
                  if (element !== null) minors.current.set(minor, element);
                }}
              >
                –
              </span>
            </span>
          ))}
        </span>
      </button>
    </Tooltip>
  );
}

const shortLabels: Readonly<Record<string, string>> = { kv_cached: 'filled' };
const minorLabel = (minor: string) =>
  minor.includes('.')
    ? minor.slice(minor.indexOf('.') + 1)
    : (shortLabels[minor] ?? metricLabel(minor).toLowerCase());

/** Beside a value of the same unit the unit is not said again. */
function minorText(metric: string, value: number, mainUnit: string): string {
  const { number, unit } = metricParts(metric, value);
  return unit === mainUnit || unit === '' ? number : formatMetric(metric, value);
}

function sparkPath(values: readonly number[]): string {
  return pathOf(values, Math.max(...values.filter(Number.isFinite), 0), sparkWidth, sparkHeight);
}

function writeDelta(
  element: HTMLElement,
  value: number,
  before: number,
  better: 'lower' | 'higher' | 'neutral',
): void {
  const ratio = value / before;
  if (!Number.isFinite(ratio) || before === 0) {
    element.textContent = '';
    return;
  }
  const isSame = Math.abs(ratio - 1) < 0.005;
  const isBetter = better === 'neutral' ? undefined : ratio < 1 === (better === 'lower');
  element.textContent = isSame ? '=' : `${ratio < 1 ? '▼' : '▲'} ${change(ratio).slice(1)}`;
  element.dataset['verdict'] = isSame || isBetter === undefined ? 'same' : isBetter ? 'better' : 'worse';
}
