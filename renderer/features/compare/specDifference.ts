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
