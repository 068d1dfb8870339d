/**
 * Coefficients ≥ 0 that make Σ ((terms · x − value) ÷ value)² small: relative errors, so that short passes count as much as long
 * ones. Normal equations by Gauss's elimination; a coefficient that comes out below 0 is left out and the rest solved again,
 * which is the first step of Lawson and Hanson's method and enough for a first guess.
 */
export function leastSquares(terms: readonly (readonly number[])[], values: readonly number[]): number[] {
  const n = terms[0]?.length ?? 0;
  const matrix = Array.from({ length: n }, () => new Float64Array(n + 1));
  // Columns on one scale, or the elimination loses what is small.
  const scale = Array.from({ length: n }, (_, c) =>
    terms.reduce((most, row, i) => Math.max(most, Math.abs((row[c] ?? 0) / (values[i] ?? 1))), 0),
  );
  terms.forEach((row, i) => {
    const weighted = row.map((term, c) =>
      (scale[c] ?? 0) === 0 ? 0 : term / (values[i] ?? 1) / (scale[c] ?? 1),
    );
    for (let a = 0; a < n; a++) {
      const line = matrix[a];
      if (line === undefined) continue;
      for (let b = 0; b < n; b++) line[b] = (line[b] ?? 0) + (weighted[a] ?? 0) * (weighted[b] ?? 0);
      line[n] = (line[n] ?? 0) + (weighted[a] ?? 0);
    }
  });
  let used = Array.from({ length: n }, (_, c) => c).filter((c) => (scale[c] ?? 0) > 0);
  for (;;) {
    const solved = solve(used.map((a) => [...used.map((b) => matrix[a]?.[b] ?? 0), matrix[a]?.[n] ?? 0]));
    const worst = solved.reduce((low, x, i) => (x < (solved[low] ?? 0) ? i : low), 0);
    if (used.length === 0 || (solved[worst] ?? 0) >= 0) {
      const result = new Array<number>(n).fill(0);
      used.forEach((c, i) => {
        result[c] = (solved[i] ?? 0) / (scale[c] ?? 1);
      });
      return result;
    }
    used = used.filter((_, i) => i !== worst);
  }
}

/** Each row is one equation, its right side last. A row that says nothing new gives 0. */
function solve(rows: readonly number[][]): number[] {
  const n = rows.length;
  const m = rows.map((row) => Float64Array.from(row));
  const cell = (r: number, c: number): number => m[r]?.[c] ?? 0;
  for (let c = 0; c < n; c++) {
    let pivot = c;
    for (let r = c + 1; r < n; r++) if (Math.abs(cell(r, c)) > Math.abs(cell(pivot, c))) pivot = r;
    const [a, b] = [m[c], m[pivot]];
    if (a !== undefined && b !== undefined) {
      m[c] = b;
      m[pivot] = a;
    }
    const lead = cell(c, c);
    if (Math.abs(lead) < 1e-14) continue;
    for (let r = 0; r < n; r++) {
      const row = m[r];
      if (r === c || row === undefined) continue;
      const factor = cell(r, c) / lead;
      for (let k = c; k <= n; k++) row[k] = cell(r, k) - factor * cell(c, k);
    }
  }
  return Array.from({ length: n }, (_, c) => (Math.abs(cell(c, c)) < 1e-14 ? 0 : cell(c, n) / cell(c, c)));
}
