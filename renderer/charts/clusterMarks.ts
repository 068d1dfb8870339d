import type { CustomSeriesOption } from 'echarts';
import { clockText, type TimeRange } from '../state/timeRange.ts';
import { ink } from './chartInk.ts';

/** Something happened to an instance of the cluster (−1: to all). */
export interface ClusterMark {
  readonly timeMs: number;
  readonly kind: string;
  readonly instance: number;
}

/** Marks of one kind that stand too near to be told apart. */
export interface MarkGroup {
  readonly timeMs: number;
  readonly kind: string;
  readonly instances: readonly number[];
}

interface Look {
  /** Shape beside the colour: never colour alone. */
  readonly glyph: string;
  readonly token: string;
  readonly label: string;
}

const looks: Readonly<Record<string, Look>> = {
  crash: { glyph: '✕', token: '--fault', label: 'crash' },
  detected: { glyph: '!', token: '--fault', label: 'crash known to the router' },
  recover: { glyph: '↻', token: '--text-2', label: 'restarted' },
  serving: { glyph: '▲', token: '--good', label: 'serves' },
  slow: { glyph: '~', token: '--warning', label: 'speed changes' },
  link: { glyph: '≈', token: '--warning', label: 'link changes' },
  drain: { glyph: '▽', token: '--text-2', label: 'drains' },
  role: { glyph: '⇄', token: '--accent', label: 'changes its pool' },
  resume: { glyph: '△', token: '--good', label: 'serves again' },
  off: { glyph: '▼', token: '--text-3', label: 'off' },
  scale_up: { glyph: '+', token: '--text-2', label: 'is started' },
  scale_down: { glyph: '−', token: '--text-2', label: 'is drained' },
};

export const lookOf = (kind: string): Look =>
  looks[kind] ?? { glyph: '•', token: '--text-3', label: kind.replaceAll('_', ' ') };

/** Nearer than this, marks of one kind are one. */
const togetherPx = 9;

/** Marks within the range, in order of time; those of one kind that would overlap are one. */
export function groupMarks(
  marks: readonly ClusterMark[],
  { fromMs, toMs }: TimeRange,
  widthPx: number,
): MarkGroup[] {
  const nearMs = ((toMs - fromMs) / Math.max(1, widthPx)) * togetherPx;
  const groups: { timeMs: number; kind: string; instances: number[] }[] = [];
  const inOrder = marks
    .filter(({ timeMs }) => timeMs >= fromMs && timeMs <= toMs)
    .sort((a, b) => a.timeMs - b.timeMs || a.instance - b.instance);
  for (const { timeMs, kind, instance } of inOrder) {
    const last = groups.findLast((group) => group.kind === kind);
    if (last !== undefined && timeMs - last.timeMs < nearMs) last.instances.push(instance);
    else groups.push({ timeMs, kind, instances: [instance] });
  }
  return groups;
}

/** `✕ crash #0, #3 at 01:00` */
export function markText({ timeMs, kind, instances }: MarkGroup, spanMs: number): string {
  const { glyph, label } = lookOf(kind);
  const named = [...new Set(instances)].filter((i) => i >= 0).map((i) => `#${i}`);
  const who = named.length === 0 ? '' : ` ${named.slice(0, 6).join(', ')}${named.length > 6 ? ' …' : ''}`;
  return `${glyph}${who} ${label} at ${clockText(timeMs, spanMs)}`;
}

/** A line through the chart with its glyph on top, per group. */
export function marksSeries(groups: readonly MarkGroup[], { fromMs, toMs }: TimeRange): CustomSeriesOption {
  return {
    type: 'custom',
    id: 'cluster-marks',
    // One row, positive for log axes: all marks are drawn with it.
    data: groups.length === 0 ? [] : [[fromMs, 1]],
    encode: { x: 0, y: [] },
    silent: true,
    clip: false,
    z: 5,
    renderItem: ({ coordSys }) => {
      const { x, y, width, height } = coordSys as unknown as Readonly<
        Record<'x' | 'y' | 'width' | 'height', number>
      >;
      return {
        type: 'group' as const,
        children: groups.flatMap(({ timeMs, kind, instances }) => {
          const { glyph, token } = lookOf(kind);
          const at = Math.round(x + ((timeMs - fromMs) / (toMs - fromMs)) * width) + 0.5;
          const text = instances.length > 1 ? `${glyph}${instances.length}` : glyph;
          return [
            {
              type: 'line' as const,
              silent: true,
              shape: { x1: at, y1: y, x2: at, y2: y + height },
              style: { stroke: ink.faint(token, 0.55), lineWidth: 1, lineDash: [2, 2] },
            },
            {
              type: 'text' as const,
              silent: true,
              style: {
                text,
                x: at,
                y: y - 1,
                align: 'center' as const,
                verticalAlign: 'bottom' as const,
                fill: ink.colour(token),
                font: '600 10px "Inter Variable", sans-serif',
              },
            },
          ];
        }),
      };
    },
  } as CustomSeriesOption;
}
