import { expect, it } from 'vitest';
import { type ClusterMark, groupMarks, lookOf, markText } from './clusterMarks.ts';

const mark = (timeMs: number, kind: string, instance = 0): ClusterMark => ({ timeMs, kind, instance });
const minute = { fromMs: 0, toMs: 60_000 };

it('joins marks of one kind that would overlap, and keeps other kinds apart', () => {
  //   600 px for 60 s: 100 ms a pixel, 900 ms are one mark
  const marks = [
    mark(20_000, 'crash', 1),
    mark(20_000, 'crash', 0),
    mark(20_300, 'serving', 2),
    mark(22_000, 'crash', 3),
  ];
  expect(groupMarks(marks, minute, 600)).toEqual([
    { timeMs: 20_000, kind: 'crash', instances: [0, 1] },
    { timeMs: 20_300, kind: 'serving', instances: [2] },
    { timeMs: 22_000, kind: 'crash', instances: [3] },
  ]);
  // Zoomed in, what was one is two.
  expect(groupMarks(marks, { fromMs: 20_000, toMs: 21_000 }, 600).map((g) => g.kind)).toEqual([
    'crash',
    'serving',
  ]);
});

it('shows nothing from outside of the range', () => {
  expect(groupMarks([mark(10, 'off'), mark(90_000, 'off')], { fromMs: 100, toMs: 60_000 }, 600)).toEqual([]);
});

it('says what happened to whom and when', () => {
  expect(markText({ timeMs: 60_000, kind: 'crash', instances: [0, 3, 3] }, 300_000)).toBe(
    '✕ #0, #3 crash at 01:00',
  );
  expect(markText({ timeMs: 5_000, kind: 'link', instances: [-1] }, 300_000)).toBe('≈ link changes at 00:05');
});

it('has a shape of its own for each kind', () => {
  const kinds = [
    'crash',
    'detected',
    'recover',
    'serving',
    'slow',
    'link',
    'drain',
    'role',
    'resume',
    'off',
    'scale_up',
    'scale_down',
  ];
  expect(new Set(kinds.map((kind) => lookOf(kind).glyph)).size).toBe(kinds.length);
});
