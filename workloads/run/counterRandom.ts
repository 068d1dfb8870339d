/**
 * Chance without a state: the number at (a, b) of a key is always the same, independent of the order of calls. For draws that
 * belong to things (token 17 of request 3), so that another batch, another policy or another draft length sees the same luck.
 * The key comes from a named stream (`stream(seed, 'acceptance').bits()`).
 */
export function uniformAt(key: number, a: number, b: number): number {
  let h = (key ^ Math.imul(a + 1, 0x9e3779b1)) | 0;
  h = mixed(h);
  h = mixed(h ^ Math.imul(b + 1, 0x85ebca6b));
  return (h >>> 0) / 4294967296;
}

/** Standard normal at (a, b): the sum of twelve uniforms less six has its mean and variance, and ends at ±6. */
export function gaussianAt(key: number, a: number, b: number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += uniformAt(key ^ Math.imul(i + 1, 0x27d4eb2f), a, b);
  return sum;
}

function mixed(x: number): number {
  let h = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return h ^ (h >>> 15);
}
