/** Prompt tokens and number of block ids of some requests. */
export interface Blocked {
  readonly line: number;
  readonly prompt: number;
  readonly ids: number;
}

export type BlockSize =
  | { readonly tokens: number }
  /** `range`: sizes that fit all, where there are several. */
  | { readonly tokens?: never; readonly range?: readonly [number, number] };

const usual = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8];

/**
 * The block size that explains how many ids each prompt has: one id per block with a partial last block counted (as Mooncake
 * does), or for whole blocks only. A size that the dialect or common sense expects is preferred among those that fit.
 *
 *   700 tokens, 2 ids and 200 tokens, 1 id:  512 fits, as 700 / 512 -> 2 blocks and 200 / 512 -> 1
 */
export function blockSizeOf(rows: readonly Blocked[], expected: number): BlockSize {
  const candidates = [expected, ...usual.filter((size) => size !== expected)].filter((size) => size > 0);
  const fits = (size: number, count: (blocks: number) => number): boolean =>
    rows.every(({ prompt, ids }) => count(prompt / size) === ids);
  if (expected > 0 && [Math.ceil, Math.floor].some((count) => fits(expected, count)))
    return { tokens: expected };
  for (const count of [Math.ceil, Math.floor]) {
    const found = candidates.filter((size) => fits(size, count));
    const [first] = found;
    if (first !== undefined && found.length === 1) return { tokens: first };
    if (first !== undefined) return { range: [Math.min(...found), Math.max(...found)] };
    const [low, high] = rangeOf(rows, count);
    if (low === high) return { tokens: low };
    if (low < high && Number.isFinite(high)) return { range: [low, high] };
  }
  return {};
}

/** One id per block, with or without one for a partial last block. */
export const isBlockCount = (ids: number, prompt: number, size: number): boolean =>
  ids === Math.ceil(prompt / size) || ids === Math.floor(prompt / size);

function rangeOf(rows: readonly Blocked[], count: (x: number) => number): [number, number] {
  let low = 1;
  let high = Number.POSITIVE_INFINITY;
  for (const { prompt, ids } of rows) {
    if (count === Math.ceil) {
      if (ids === 0) return [1, 0];
      low = Math.max(low, Math.ceil(prompt / ids));
      if (ids > 1) high = Math.min(high, Math.ceil(prompt / (ids - 1)) - 1);
    } else {
      low = Math.max(low, Math.floor(prompt / (ids + 1)) + 1);
      if (ids > 0) high = Math.min(high, Math.floor(prompt / ids));
    }
  }
  return [low, high];
}
