import { z } from 'zod';
import { findMetric } from '../../metrics/registry.ts';

/** A figure as it was once: of a variant, or of all (`ratio`). */
export const expectedFigure = z.strictObject({
  /** The variant; `ratio`: optimized ÷ baseline. */
  of: z.string().min(1),
  /** Dotted id of the registry: `ttft_ms.p95`. */
  metric: z.string().min(1),
  /** In the unit of the metric. The simulator's is exact. */
  median: z.number(),
  /** Absent: the figure is exact. */
  ci95: z.tuple([z.number(), z.number()]).exactOptional(),
  /** Iterations, replicates or requests behind it. */
  n: z.int().min(1),
});
export type ExpectedFigure = z.infer<typeof expectedFigure>;

/** What a bench of one target at one setting gave. */
export const expectation = z.strictObject({
  target: z.string().min(1),
  variants: z.array(z.string().min(1)).min(1),
  /** Digest of the run specs: another setting is another expectation. */
  setting: z.string().regex(/^[0-9a-f]{16}$/),
  /** The words after `dyno bench`. */
  command: z.string(),
  /** Of the program that measured it; absent outside a clone. */
  commit: z.string().exactOptional(),
  figures: z.array(expectedFigure),
});
export type Expectation = z.infer<typeof expectation>;

/** One file per hardware key. */
export const expectationsFile = z.strictObject({
  schema: z.literal(1),
  /** `sim`, or the slug of a GPU's name. */
  hardware: z.string().min(1),
  expectations: z.array(expectation),
});
export type ExpectationsFile = z.infer<typeof expectationsFile>;

/** `NVIDIA H200` → `nvidia-h200`: the name of a file. */
export const hardwareKey = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');

/** A figure beside its expectation. */
export interface FigureChange {
  readonly of: string;
  readonly metric: string;
  readonly expected: ExpectedFigure;
  readonly found: ExpectedFigure;
  /** found ÷ expected; absent where the expectation is 0. */
  readonly ratio?: number;
  /** `changed`: outside its interval, and neither way is better. */
  readonly verdict: 'improved' | 'regressed' | 'changed';
}

export interface ExpectationCheck {
  /** Figures that were compared. */
  readonly figures: number;
  /** Those outside their interval: regressions first. */
  readonly changes: readonly FigureChange[];
  /** Expected figures that this bench does not have (`baseline/ttft_ms.p95`). */
  readonly missing: readonly string[];
}

/** Sums in another order differ by this much at most. */
const exactTolerance = 1e-9;

/**
 * Compares figures with their expectations. An exact figure has moved where it differs at all; a measured one where the two
 * intervals have nothing in common.
 *
 *   expected      ├──────┼──────┤
 *   found                    ├────┼────┤                as expected: they overlap
 *   found                            ├────┼────┤        moved; whether for the worse, the registry says
 */
export function checkExpectation(
  { figures }: Expectation,
  found: readonly ExpectedFigure[],
): ExpectationCheck {
  const byName = new Map(found.map((figure) => [nameOf(figure), figure]));
  const changes: FigureChange[] = [];
  const missing: string[] = [];
  for (const expected of figures) {
    const now = byName.get(nameOf(expected));
    if (now === undefined) {
      missing.push(nameOf(expected));
      continue;
    }
    if (!hasMoved(expected, now)) continue;
    changes.push({
      of: expected.of,
      metric: expected.metric,
      expected,
      found: now,
      ...(expected.median === 0 ? {} : { ratio: now.median / expected.median }),
      verdict: verdictOf(expected, now),
    });
  }
  const order = ['regressed', 'changed', 'improved'];
  changes.sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
  return { figures: figures.length - missing.length, changes, missing };
}

const nameOf = ({ of, metric }: ExpectedFigure): string => `${of}/${metric}`;

function hasMoved(expected: ExpectedFigure, found: ExpectedFigure): boolean {
  const slack = exactTolerance * Math.abs(expected.median);
  const [low, high] = expected.ci95 ?? [expected.median - slack, expected.median + slack];
  const [from, to] = found.ci95 ?? [found.median, found.median];
  return from > high || to < low;
}

function verdictOf({ metric, median }: ExpectedFigure, found: ExpectedFigure): FigureChange['verdict'] {
  const better = findMetric(metric)?.metric.better;
  if (better !== 'lower' && better !== 'higher') return 'changed';
  return found.median > median === (better === 'higher') ? 'improved' : 'regressed';
}

/** The file with this expectation in place of the one for the same setting; sorted, so that two branches merge. */
export function withExpectation(file: ExpectationsFile, fresh: Expectation): ExpectationsFile {
  const others = file.expectations.filter((old) => !isSameSetting(old, fresh));
  const key = ({ target, variants, setting }: Expectation) => [target, ...variants, setting].join(' ');
  const expectations = [...others, fresh].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return { ...file, expectations };
}

type Setting = Pick<Expectation, 'target' | 'variants' | 'setting'>;

const isSameSetting = (a: Setting, b: Setting): boolean =>
  a.target === b.target && a.setting === b.setting && a.variants.join() === b.variants.join();

export const expectationOf = (file: ExpectationsFile, wanted: Setting): Expectation | undefined =>
  file.expectations.find((known) => isSameSetting(known, wanted));

/** A line per figure, for reviews and merges. */
export function expectationsText(file: ExpectationsFile): string {
  const entries = file.expectations.map(({ figures, ...head }) => {
    const lines = Object.entries(head).map(
      ([name, value]) => `      ${JSON.stringify(name)}: ${JSON.stringify(value)},`,
    );
    const rows = figures.map((figure) => `        ${JSON.stringify(figure)}`);
    return ['    {', ...lines, '      "figures": [', rows.join(',\n'), '      ]', '    }'].join('\n');
  });
  return [
    '{',
    `  "schema": ${file.schema},`,
    `  "hardware": ${JSON.stringify(file.hardware)},`,
    '  "expectations": [',
    entries.join(',\n'),
    '  ]',
    '}',
    '',
  ].join('\n');
}
