import { Select } from '@mantine/core';
import { useRef, useState } from 'react';
import type { SweepContents } from '../../../electron/contract/sweeps.ts';
import type { SweepPoint } from '../../../workloads/harness/sweep/point.ts';
import chartStyles from '../../charts/Chart.module.css';
import { ChartBox } from '../../charts/ChartBox.tsx';
import {
  extentOf,
  placeOn,
  type ScatterAxis,
  type ScatterPlot,
  scatterMargin,
  scatterOption,
} from '../../charts/scatterOption.ts';
import { sweepStore } from '../../state/sweepStore.ts';
import { variantToken } from '../../ui/variantColour.ts';
import { type Dimension, dimensionsOf, valuesOf } from './figures.ts';
import styles from './Sweep.module.css';

interface SweepScatterProps {
  readonly contents: SweepContents;
  readonly selected: number | undefined;
}

/** Every point by two of its figures; the front is a line, what misses a constraint is hollow. */
export function SweepScatter({ contents, selected }: SweepScatterProps) {
  const dimensions = dimensionsOf(contents);
  const [xId, setX] = useState(dimensions[1]?.id ?? dimensions[0]?.id ?? '');
  const [yId, setY] = useState(dimensions[0]?.id ?? '');
  const [colourBy, setColour] = useState<string>(contents.spec.axes[0]?.parameter ?? '');
  const area = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const x = dimensions.find(({ id }) => id === xId) ?? dimensions[0];
  const y = dimensions.find(({ id }) => id === yId) ?? dimensions[0];
  if (x === undefined || y === undefined) return null;
  const legend = legendOf(contents, colourBy);
  const { plot, placed } = plotOf(contents, x, y, legend, colourBy, selected);

  const under = (event: { readonly clientX: number; readonly clientY: number }) => {
    const box = area.current?.getBoundingClientRect();
    if (box === undefined) return undefined;
    const at = { x: event.clientX - box.left, y: event.clientY - box.top };
    let best: SweepPoint | undefined;
    let bestDistance = 18;
    for (const { point, left, top } of placed) {
      const distance = Math.hypot(left * box.width - at.x, top * box.height - at.y);
      if (distance < bestDistance) {
        best = point;
        bestDistance = distance;
      }
    }
    return { at, box, point: best };
  };
  const hover = (event: { readonly clientX: number; readonly clientY: number } | undefined) => {
    const found = event === undefined ? undefined : under(event);
    const element = tip.current;
    if (element === null) return;
    element.style.visibility = found?.point === undefined ? 'hidden' : 'visible';
    if (found?.point === undefined) return;
    const { at, box, point } = found;
    element.style.left = at.x < box.width / 2 ? `${at.x + 12}px` : 'auto';
    element.style.right = at.x < box.width / 2 ? 'auto' : `${box.width - at.x + 12}px`;
    element.style.top = `${Math.max(0, at.y - 20)}px`;
    element.textContent = [
      `point ${point.index}`,
      ...Object.entries(point.values).map(([name, value]) => `${name} ${value}`),
      ...[x, y].map((d) => `${d.label} ${written(d, point)}`),
      ...(point.violation > 0 ? ['misses a constraint'] : []),
    ].join('\n');
  };
  const choices = dimensions.map(({ id, label }) => ({ value: id, label }));
  return (
    <section>
      <div className={styles.pickers}>
        <Select
          label="X axis"
          size="xs"
          w={190}
          searchable
          data={choices}
          value={x.id}
          onChange={(id) => setX(id ?? x.id)}
        />
        <Select
          label="Y axis"
          size="xs"
          w={190}
          searchable
          data={choices}
          value={y.id}
          onChange={(id) => setY(id ?? y.id)}
        />
        <Select
          label="Colour"
          size="xs"
          w={170}
          data={contents.spec.axes.map(({ parameter }) => parameter)}
          value={colourBy}
          onChange={(parameter) => setColour(parameter ?? colourBy)}
        />
      </div>
      <ChartBox
        id="sweep"
        title={`${y.label} against ${x.label}`}
        unit=""
        height={330}
        isSimulated
        legend={legend.map(({ label, token }) => ({ label, token }))}
        legendNode={
          <>
            <span className={chartStyles.legendItem}>◆ Pareto-optimal</span>
            {legend.map(({ label, token }) => (
              <span key={label} className={chartStyles.legendItem} style={{ color: `var(${token})` }}>
                ● <span className={styles.legendText}>{label}</span>
              </span>
            ))}
          </>
        }
        draw={(chart) => {
          chart.setOption(scatterOption(plot), { notMerge: true, silent: true });
          return { points: plot.points.length, last: plot.points.at(-1)?.y ?? Number.NaN };
        }}
        overlay={
          <div
            ref={area}
            className={chartStyles.overlay}
            style={{
              left: scatterMargin.left,
              right: scatterMargin.right,
              top: scatterMargin.top,
              bottom: scatterMargin.bottom,
            }}
            onPointerMove={hover}
            onPointerLeave={() => hover(undefined)}
            onPointerDown={(event) => {
              const point = under(event)?.point;
              if (point !== undefined) sweepStore.setState({ selected: point.index });
            }}
          >
            <div ref={tip} className={`${chartStyles.tip} ${styles.tip}`} role="tooltip" />
          </div>
        }
      />
    </section>
  );
}

const written = ({ figureOf, format }: Dimension, point: SweepPoint): string => {
  const value = figureOf(point);
  return value === undefined ? '–' : format(value);
};

const tokens = [
  '--series-1',
  '--series-2',
  '--series-3',
  '--series-4',
  '--series-6',
  '--series-7',
  '--series-8',
];

interface LegendEntry {
  readonly label: string;
  readonly token: string;
  readonly holds: (value: string | number | boolean | undefined) => boolean;
}

/** One colour per value of the axis; many numbers are put into ranges of equal count. */
function legendOf({ points }: SweepContents, parameter: string): readonly LegendEntry[] {
  const values = valuesOf(points, parameter);
  if (values.length <= tokens.length)
    return values.map((value, i) => ({
      label: `${parameter} ${value}`,
      // A variant has its colour in every view.
      token: tokenOf(parameter, value) ?? tokens[i] ?? '--series-8',
      holds: (each) => each === value,
    }));
  const parts = 5;
  return Array.from({ length: parts }, (_, i) => {
    const from = values[Math.floor((i * values.length) / parts)];
    const to = values[Math.floor(((i + 1) * values.length) / parts) - 1];
    const members = new Set(
      values.slice(Math.floor((i * values.length) / parts), Math.floor(((i + 1) * values.length) / parts)),
    );
    return {
      label: `${i === 0 ? `${parameter} ` : ''}${from}–${to}`,
      token: tokens[i] ?? '--series-8',
      holds: (each) => each !== undefined && members.has(each),
    };
  });
}

function plotOf(
  { points, front }: SweepContents,
  x: Dimension,
  y: Dimension,
  legend: readonly LegendEntry[],
  colourBy: string,
  selected: number | undefined,
): {
  readonly plot: ScatterPlot;
  readonly placed: readonly { readonly point: SweepPoint; readonly left: number; readonly top: number }[];
} {
  const drawn = points.flatMap((point) => {
    const [a, b] = [x.figureOf(point), y.figureOf(point)];
    return a === undefined || b === undefined ? [] : [{ point, x: a, y: b }];
  });
  const axis = (dimension: Dimension, values: readonly number[]): ScatterAxis => {
    const low = Math.min(...values);
    const isLog = low > 0 && Math.max(...values) / low > 30;
    const [min, max] = extentOf(values, isLog);
    const arrow = dimension.better === undefined ? '' : ` (${dimension.better} is better)`;
    return { label: `${dimension.label}${arrow}`, isLog, min, max, format: dimension.format };
  };
  const axes = [
    axis(
      x,
      drawn.map((each) => each.x),
    ),
    axis(
      y,
      drawn.map((each) => each.y),
    ),
  ] as const;
  const onFront = new Set(front);
  const plot: ScatterPlot = {
    x: axes[0],
    y: axes[1],
    points: drawn.map(({ point, x: a, y: b }) => ({
      id: point.index,
      x: a,
      y: b,
      token: legend.find(({ holds }) => holds(point.values[colourBy]))?.token ?? '--series-8',
      isHollow: point.violation > 0,
      isOnFront: onFront.has(point.index),
      isSelected: point.index === selected,
    })),
    front: drawn
      .filter(({ point }) => onFront.has(point.index))
      .map((each) => [each.x, each.y] as const)
      .sort((a, b) => a[0] - b[0]),
  };
  return {
    plot,
    placed: drawn.map(({ point, x: a, y: b }) => ({
      point,
      left: placeOn(axes[0], a),
      top: 1 - placeOn(axes[1], b),
    })),
  };
}

function tokenOf(parameter: string, value: string | number | boolean): string | undefined {
  const token = variantToken(String(value));
  return parameter === 'variant' && token !== '--other-variant' ? token : undefined;
}
