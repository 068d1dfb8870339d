/** Every leaf of a JSON document by its dotted path, as text; what is empty has none. */
export function leavesOf(value: unknown, path = ''): readonly (readonly [string, string])[] {
  if (typeof value !== 'object' || value === null)
    return [[path, typeof value === 'string' ? value : (JSON.stringify(value) ?? 'absent')]];
  const entries = Array.isArray(value)
    ? value.map((item, index) => [String(index), item] as const)
    : Object.entries(value);
  return entries.flatMap(([key, item]) => leavesOf(item, path === '' ? key : `${path}.${key}`));
}

export interface SpecRow {
  readonly path: string;
  readonly baseline: string;
  readonly optimized: string;
  readonly isEqual: boolean;
}

/** Two specs side by side, in the order of the first; what only one has is `absent` in the other. */
export function specRows(baseline: unknown, optimized: unknown): readonly SpecRow[] {
  const left = new Map(leavesOf(baseline));
  const right = new Map(leavesOf(optimized));
  const paths = [...new Set([...left.keys(), ...right.keys()])];
  return paths.map((path) => {
    const [a, b] = [left.get(path) ?? 'absent', right.get(path) ?? 'absent'];
    return { path, baseline: a, optimized: b, isEqual: a === b };
  });
}

/** A row, or several that say the same of each member of a list. */
export interface FoldedRow extends SpecRow {
  /** How many rows it stands for; their paths differ in the numbers that `path` shows as `*`. */
  readonly rows: number;
}

/** Rows of list members with equal values become one: `cluster.instances.*.cost.gpu`, 8 rows. */
export function foldedRows(rows: readonly SpecRow[]): readonly FoldedRow[] {
  const folded = new Map<string, FoldedRow>();
  for (const row of rows) {
    const path = row.path.replace(/(^|\.)\d+(?=\.|$)/g, '$1*');
    const key = JSON.stringify([path, row.baseline, row.optimized]);
    const known = folded.get(key);
    folded.set(key, known === undefined ? { ...row, rows: 1 } : { ...known, path, rows: known.rows + 1 });
  }
  return [...folded.values()];
}

/** What a person chose; everything else of a spec was derived from it. */
export const isChosen = ({ path }: SpecRow): boolean =>
  !path.startsWith('cluster.') && !path.startsWith('models.');
