import type { SweepContents } from '../contract/sweeps.ts';

const cell = (value: unknown): string => {
  const text = value === undefined || value === null ? '' : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** All points of a sweep as CSV (RFC 4180): index, axes, whether on the front, violation, GPUs, every figure, error. */
export function sweepCsv({ spec, points, front }: SweepContents): string {
  const axes = spec.axes.map(({ parameter }) => parameter);
  const figures = [...new Set(points.flatMap((p) => Object.keys(p.figures)))];
  const isOnFront = new Set(front);
  const rows = points.map((p) => [
    p.index,
    ...axes.map((name) => p.values[name]),
    isOnFront.has(p.index),
    p.violation,
    p.gpus,
    ...figures.map((id) => p.figures[id]),
    p.error,
  ]);
  const head = ['point', ...axes, 'on_front', 'violation', 'gpus', ...figures, 'error'];
  return `${[head, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}
