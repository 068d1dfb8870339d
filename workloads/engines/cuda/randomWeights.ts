/**
 * Random weights from a counter: element i of a tensor follows from the seed, the tensor's name and i alone, so that the device and this
 * file draw the same BF16 values (`native/transformer/weights.cu`, `random_weights.cpp`). The mixing is MurmurHash3's finaliser
 * (Appleby); names are hashed by FNV-1a.
 */

function mixed(hash: number): number {
  let h = hash >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** One key per tensor. */
export function weightKey(seed: number, name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return mixed(hash ^ mixed((seed + 0x9e3779b9) >>> 0));
}

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The nearest BF16 value, ties to even. */
export function roundToBf16(value: number): number {
  float[0] = value;
  const bits = word[0] ?? 0;
  word[0] = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
  return float[0] ?? 0;
}

/** Element `index`: centre + scale · u with u uniform over the odd multiples of 2⁻²⁴ in (−1, 1), rounded to BF16. */
export function randomWeight(key: number, index: number, centre: number, scale: number): number {
  const h = mixed(mixed((Math.imul(index, 0x9e3779b1) + key) >>> 0) ^ key);
  const whole = (h >>> 8) * 2 - 0xffffff;
  const part = Math.fround(scale * (whole * 2 ** -24));
  return roundToBf16(Math.fround(centre + part));
}
