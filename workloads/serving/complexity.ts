import type { ComplexitySpec } from '../run/complexitySpec.ts';
import { stream } from '../run/random.ts';
import type { Traffic } from '../traffic/traffic.ts';

/** How hard each request of a replicate is, and how hard a router is told that it is; columns indexed like the traffic. */
export class ComplexityColumns {
  readonly ladder: readonly string[];
  /** Index in the ladder of the smallest model that answers well. */
  readonly truth: Uint8Array;
  /** What the classifier says. */
  readonly seen: Uint8Array;

  constructor(spec: ComplexitySpec, traffic: Traffic, seed: number, replicate: number) {
    this.ladder = spec.ladder;
    this.truth = drawClasses(spec, traffic, seed, replicate);
    this.seen = classify(spec, traffic, this.truth, seed, replicate);
  }
}

/**
 * A hidden difficulty per request, ρ · (log of its prompt's length, standardised) + √(1 − ρ²) · noise; the easiest share of them
 * is class 0, and so on: the shares hold exactly, whatever the lengths.
 */
function drawClasses(spec: ComplexitySpec, traffic: Traffic, seed: number, replicate: number): Uint8Array {
  const n = traffic.requests;
  const random = stream(seed, `complexity ${replicate}`);
  const rho = spec.length_correlation;
  const rest = Math.sqrt(1 - rho * rho);
  const logs = Float64Array.from(traffic.promptTokens.subarray(0, n), (tokens) => Math.log(tokens));
  const mean = logs.reduce((sum, x) => sum + x, 0) / n;
  const spread = Math.sqrt(logs.reduce((sum, x) => sum + (x - mean) * (x - mean), 0) / n);
  const hidden = logs.map((x) => (spread > 0 ? (rho * (x - mean)) / spread : 0) + rest * random.gaussian());
  const order = Uint32Array.from({ length: n }, (_, r) => r).sort(
    (a, b) => (hidden[a] ?? 0) - (hidden[b] ?? 0) || a - b,
  );
  const total = spec.mix.reduce((sum, share) => sum + share, 0);
  const classes = new Uint8Array(n);
  let from = 0;
  let share = 0;
  spec.mix.forEach((part, c) => {
    share += part / total;
    const to = c === spec.mix.length - 1 ? n : Math.round(share * n);
    for (let k = from; k < to; k++) classes[order[k] ?? 0] = c;
    from = to;
  });
  return classes;
}

function classify(
  { classifier, ladder }: ComplexitySpec,
  traffic: Traffic,
  truth: Uint8Array,
  seed: number,
  replicate: number,
): Uint8Array {
  const last = ladder.length - 1;
  switch (classifier.kind) {
    case 'none':
      return new Uint8Array(truth.length).fill(last);
    case 'oracle':
      return truth.slice();
    case 'length':
      return truth.map((_, r) => {
        const tokens = traffic.promptTokens[r] ?? 0;
        return classifier.from_tokens.filter((from) => tokens >= from).length;
      });
    case 'noisy': {
      const random = stream(seed, `classifier ${replicate}`);
      return truth.map((c) => {
        const right = random.uniform() < classifier.accuracy;
        const other = random.integer(0, Math.max(0, last - 1));
        return right || last === 0 ? c : other < c ? other : other + 1;
      });
    }
    default: {
      const never: never = classifier;
      return never;
    }
  }
}
