// Inputs that are the same on every machine: a generator per purpose, named by it.

/** Uniform in [0, 1): mulberry32, seeded by a hash of the purpose and the run's seed. */
export function seededUniform(purpose: string, seed: number): () => number {
  let state = seed >>> 0;
  for (const character of purpose)
    state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
}

/** Uniform numbers of mean 0 and the given standard deviation. */
export function seededFloats(purpose: string, seed: number, length: number, deviation: number): Float32Array {
  const uniform = seededUniform(purpose, seed);
  const width = deviation * Math.sqrt(12);
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = (uniform() - 0.5) * width;
  return values;
}
