/** Edits (insert, delete, replace, swap neighbours) from one word to the other. */
export function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      next.push(best);
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The names that a person may have meant, the likeliest first; none where all are far off. */
export function closest(word: string, names: readonly string[], most = 3): string[] {
  const wanted = word.toLowerCase();
  return names
    .map((name) => {
      const there = name.toLowerCase();
      const holds = wanted.length >= 3 && (there.includes(wanted) || wanted.includes(there));
      return { name, far: holds ? 1 : distance(wanted, there) };
    })
    .filter(({ name, far }) => far <= Math.max(2, Math.floor(Math.max(word.length, name.length) * 0.4)))
    .sort((a, b) => a.far - b.far)
    .slice(0, most)
    .map(({ name }) => name);
}

/** `; did you mean "x" or "y"?`, or nothing. */
export function didYouMean(word: string, names: readonly string[]): string {
  const found = closest(word, names).map((name) => `"${name}"`);
  return found.length === 0 ? '' : `; did you mean ${found.join(' or ')}?`;
}
