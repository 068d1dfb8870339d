/**
 * The only source of chance in a run: streams of the sfc32 generator, named by their purpose, so that a new draw in
 * one place never shifts the draws of another (common random numbers between two variants).
 *
 *   const arrivals = stream(seed, 'arrivals');
 *   const lengths = stream(seed, 'lengths');
 *
 * Only IEEE arithmetic, sqrt, log and exp are used: V8 computes them alike in every version we run on.
 * sfc32: Chris Doty-Humphrey, PractRand; passes BigCrush, period about 2^127.
 */
export interface Random {
  /** 32 random bits as an unsigned integer. */
  bits(): number;
  /** In [0, 1), 53 bits. */
  uniform(): number;
  /** In [low, high], both included. */
  integer(low: number, high: number): number;
  exponential(mean: number): number;
  /** Mean 0, standard deviation 1 (Marsaglia's polar method). */
  gaussian(): number;
  /** Mean shape × scale (Marsaglia and Tsang 2000). */
  gamma(shape: number, scale: number): number;
  poisson(mean: number): number;
  /** In place, Fisher-Yates. */
  shuffle(values: Int32Array | Float64Array | number[]): void;
  /** Another stream that depends on this one's name, not on what was drawn from it. */
  fork(name: string): Random;
}

const mix = (h: number): number => {
  let x = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
};

const hashName = (seed: number, name: string): number => {
  let h = mix((seed ^ 0x9e3779b9) >>> 0);
  for (let i = 0; i < name.length; i++) h = mix((Math.imul(h, 31) + name.charCodeAt(i) + 1) >>> 0);
  return h;
};

class Sfc32 implements Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;
  private spare = Number.NaN;
  private readonly key: number;

  constructor(key: number) {
    this.key = key;
    this.a = mix(key ^ 0x243f6a88);
    this.b = mix(key ^ 0x85a308d3);
    this.c = mix(key ^ 0x13198a2e);
    for (let i = 0; i < 15; i++) this.bits();
  }

  bits(): number {
    const t = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (this.c << 21) | (this.c >>> 11) | 0;
    this.c = (this.c + t) | 0;
    return t >>> 0;
  }

  uniform(): number {
    const high = this.bits() >>> 5;
    const low = this.bits() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1));
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.uniform());
  }

  gaussian(): number {
    if (!Number.isNaN(this.spare)) {
      const value = this.spare;
      this.spare = Number.NaN;
      return value;
    }
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) {
        const f = Math.sqrt((-2 * Math.log(s)) / s);
        this.spare = v * f;
        return u * f;
      }
    }
  }

  gamma(shape: number, scale: number): number {
    if (shape < 1) {
      const u = 1 - this.uniform();
      return this.gamma(shape + 1, scale) * Math.exp(Math.log(u) / shape);
    }
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.gaussian();
      const t = 1 + c * x;
      if (t <= 0) continue;
      const v = t * t * t;
      const u = 1 - this.uniform();
      if (Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v * scale;
    }
  }

  poisson(mean: number): number {
    // Counts unit-rate exponential gaps; a sum of Poisson counts is Poisson, so large means go in steps of 500.
    let left = mean;
    let count = 0;
    while (left > 0) {
      const step = Math.min(left, 500);
      left -= step;
      const floor = Math.exp(-step);
      for (let p = 1 - this.uniform(); p > floor; p *= 1 - this.uniform()) count++;
    }
    return count;
  }

  shuffle(values: Int32Array | Float64Array | number[]): void {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.integer(0, i);
      const a = values[i];
      const b = values[j];
      if (a === undefined || b === undefined) continue;
      values[i] = b;
      values[j] = a;
    }
  }

  fork(name: string): Random {
    return new Sfc32(hashName(this.key, name));
  }
}

/** The stream of this name in a run with this seed. */
export const stream = (seed: number, name: string): Random => new Sfc32(hashName(seed >>> 0, name));
