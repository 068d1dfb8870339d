import type { Page } from '../../../electron/contract/protocol.ts';
import { groupedBy } from '../../state/grouped.ts';

export interface Decision {
  readonly stage: string;
  readonly timeMs: number;
  readonly termIds: readonly string[];
  readonly candidates: readonly {
    readonly instance: number;
    readonly score: number;
    readonly isChosen: boolean;
    readonly terms: Readonly<Record<string, number>>;
  }[];
}

const prefix = 'term_';

/** Rows of the decisions table, one per candidate, put together into decisions, in order of time. Absent terms are left out. */
export function decisionsOf(page: Page): Decision[] {
  const column = (name: string) => page.columns.find((each) => each.name === name)?.values ?? [];
  const terms = page.columns.filter((each) => each.name.startsWith(prefix));
  const number = (value: number | string | boolean | null | undefined) =>
    typeof value === 'number' ? value : Number.NaN;
  const rows = Array.from({ length: page.rows }, (_, row) => ({
    stage: String(column('stage')[row] ?? ''),
    timeMs: number(column('time_ns')[row]) / 1e6,
    instance: number(column('instance')[row]),
    score: number(column('score')[row]),
    isChosen: [true, 1].includes(column('chosen')[row] as boolean | number),
    terms: Object.fromEntries(
      terms.flatMap(({ name, values }) =>
        typeof values[row] === 'number' ? [[name.slice(prefix.length), values[row]]] : [],
      ),
    ) as Readonly<Record<string, number>>,
  }));
  return [...groupedBy(rows, ({ stage, timeMs }) => `${timeMs} ${stage}`).values()]
    .map((group) => ({
      stage: group[0]?.stage ?? '',
      timeMs: group[0]?.timeMs ?? 0,
      termIds: terms
        .map(({ name }) => name.slice(prefix.length))
        .filter((id) => group.some((row) => id in row.terms)),
      candidates: group.map(({ instance, score, isChosen, terms: own }) => ({
        instance,
        score,
        isChosen,
        terms: own,
      })),
    }))
    .sort((a, b) => a.timeMs - b.timeMs);
}
