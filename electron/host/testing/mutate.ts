/** Uniform numbers in [0, 1) from a seed (mulberry32): an attack can be repeated. */
export type Random = () => number;

export function randomFor(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const below = (random: Random, n: number): number => Math.floor(random() * n);
const pick = <T>(random: Random, list: readonly T[], otherwise: T): T =>
  list[below(random, list.length)] ?? otherwise;

/** A few bytes flipped, removed, doubled, or the end cut off. */
export function mutatedBytes(random: Random, bytes: Uint8Array): Uint8Array {
  let out = Uint8Array.from(bytes);
  for (let change = 0; change <= below(random, 4); change++) {
    const at = below(random, Math.max(1, out.length));
    switch (below(random, 5)) {
      case 0:
        out[at] = (out[at] ?? 0) ^ (1 << below(random, 8));
        break;
      case 1:
        out[at] = below(random, 256);
        break;
      case 2:
        out = out.slice(0, at);
        break;
      case 3:
        out = Uint8Array.from([...out.slice(0, at), ...out.slice(at + below(random, 64))]);
        break;
      default:
        out = Uint8Array.from([
          ...out.slice(0, at),
          ...out.slice(Math.max(0, at - 40), at),
          ...out.slice(at),
        ]);
    }
  }
  return out;
}

const hostile: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1e308,
  2 ** 53,
  0.5,
  '',
  '../../../etc/passwd',
  'grant-00000000000000000000000000000000',
  "'; DROP TABLE requests; --",
  '\u001b]0;owned\u0007',
  '__proto__',
  'x'.repeat(5000),
  [],
  {},
  [[[[[[]]]]]],
  Number.NaN,
];

/** A JSON value with some part of it replaced, removed or renamed. */
export function mutatedValue(random: Random, value: unknown): unknown {
  if (random() < 0.15) return pick(random, hostile, null);
  if (Array.isArray(value)) {
    if (value.length === 0) return random() < 0.5 ? value : [pick(random, hostile, null)];
    const at = below(random, value.length);
    return value.map((inner: unknown, i) => (i === at ? mutatedValue(random, inner) : inner));
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0) return { [String(pick(random, hostile, 'x'))]: 1 };
    const at = below(random, entries.length);
    return Object.fromEntries(
      entries.flatMap(([key, inner], i): [string, unknown][] => {
        if (i !== at) return [[key, inner]];
        const kind = random();
        if (kind < 0.2) return [];
        if (kind < 0.3) return [[`${key}x`, inner]];
        return [[key, mutatedValue(random, inner)]];
      }),
    );
  }
  return pick(random, hostile, null);
}

/** The text of a JSON document, mutated as a document or as bytes. */
export function mutatedJson(random: Random, document: unknown): string {
  const text = JSON.stringify(random() < 0.6 ? mutatedValue(random, document) : document);
  return random() < 0.5 ? text : Buffer.from(mutatedBytes(random, Buffer.from(text))).toString('utf8');
}
