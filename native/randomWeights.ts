// Random weights on the CPU: `randomWeight` draws what `transformer/weights.cu` draws on the device from the same key, so that a
// reference can run on the same model. Sources: FNV-1a (Fowler, Noll, Vo), the finaliser of MurmurHash3 (Appleby).

function mixed(start: number): number {
  let h = start;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** One key per seed and tensor name (ASCII). */
export function weightKey(seed: number, name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; ++i) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return mixed(hash ^ mixed((seed + 0x9e3779b9) | 0));
}

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** To the nearest BF16, ties to even. */
export function roundToBf16(value: number): number {
  word[0] = value;
  const whole = bits[0] ?? 0;
  bits[0] = ((whole + 0x7fff + ((whole >>> 16) & 1)) & 0xffff0000) >>> 0;
  return word[0];
}

/** Element `index`: centre + scale · u, u uniform in (−1, 1), computed in FP32 and rounded to BF16. */
export function randomWeight(key: number, index: number, centre: number, scale: number): number {
  const h = mixed(mixed((Math.imul(index, 0x9e3779b1) + key) | 0) ^ key);
  const unit = ((h >>> 8) * 2 - 0xffffff) * 2 ** -24;
  return roundToBf16(Math.fround(centre + Math.fround(Math.fround(scale) * unit)));
}

/** How a tensor of the model is drawn: matrices and biases around 0 with an RMS of 0.02, norms around 1. */
export function weightDistribution(name: string): { readonly centre: number; readonly scale: number } {
  return /norm\.weight$/.test(name)
    ? { centre: 1, scale: 0.125 }
    : { centre: 0, scale: Math.fround(Math.fround(0.02) * Math.fround(1.7320508)) };
}
