import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { transformerShape } from '../transformerShape.ts';
import { ReferenceCache, ReferenceTransformer } from './forward.ts';
import { randomReferenceWeights } from './referenceWeights.ts';

interface Golden {
  readonly transformers: string;
  readonly seed: number;
  readonly prompt: number[];
  /** Logits of every so many positions. */
  readonly every: number;
  readonly families: readonly {
    readonly name: string;
    readonly config: Readonly<Record<string, unknown>>;
    readonly greedy: number[];
    readonly logits: number[][];
  }[];
}

// Written by transformers_logits.py with transformers 5.17.0: checkpoints of the same random weights, loaded and run by it; dense
// families in float64 (norms in float32 inside), experts in float32.
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'golden/transformers.json'), 'utf8'),
) as Golden;

test.each(golden.families)(
  '$name: logits and greedy tokens are those of transformers',
  ({ config, greedy, logits }) => {
    const shape = transformerShape(config, 'golden');
    const model = new ReferenceTransformer(shape, randomReferenceWeights(shape, golden.seed));
    const own = model.forward(golden.prompt, new ReferenceCache(shape.layers));
    let worst = 0;
    let largest = 0;
    logits.forEach((expected, i) => {
      const found = own[i * golden.every];
      expected.forEach((value, token) => {
        worst = Math.max(worst, Math.abs((found?.[token] ?? Number.NaN) - value));
        largest = Math.max(largest, Math.abs(value));
      });
    });
    expect(worst / largest).toBeLessThan(2e-6);
    expect(model.greedy(golden.prompt, greedy.length)).toEqual(greedy);
  },
);
