import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findGpu } from '../hardware/gpus.ts';
import { findModel, models } from '../model/models.ts';
import type { ModelShape } from '../model/shape.ts';
import { causalPairs } from '../model/windowed.ts';
import { totalWork } from './point.ts';
import { findFormat, formatOf, type ServingFormat, servingFormats } from './precision.ts';
import { countsOf, expertsTouched, type Pass, passCost, passPoint } from './serving.ts';

const model = (id: string): ModelShape => {
  const found = findModel(id);
  if (found === undefined) throw new Error(`no model ${id}`);
  return found;
};
const format = (id: string): ServingFormat => {
  const found = findFormat(id);
  if (found === undefined) throw new Error(`no format ${id}`);
  return found;
};
const llama8b = model('llama-3.1-8b');
const decode = (batch: number, context: number): Pass => ({ phase: 'decode', batch, context });
const intensity = (m: ModelShape, pass: Pass, tp = 1) => {
  const cost = passCost(m, countsOf(pass), tp);
  return cost.work / cost.hbmBytes;
};

describe('one pass of Llama 3.1 8B, by hand', () => {
  // Per layer 2·4096² + 2·4096·1024 + 3·4096·14336 = 218,103,808 weights, ×32; lm_head 4096·128256.
  const layers = 6_979_321_856;
  const head = 525_336_576;

  it('decode of one sequence at 1,000 tokens of context', () => {
    const cost = passCost(llama8b, countsOf(decode(1, 1000)));
    expect(cost.matrixWork).toBe(2 * layers + 2 * head);
    // 4·32 layers·32 heads·128 = 524,288 FLOP per pair
    expect(cost.attentionWork).toBe(524_288 * 1000);
    expect(cost.weightBytes).toBe(2 * (layers + head));
    // 131,072 B of KV per token
    expect(cost.kvReadBytes).toBe(131_072_000);
    expect(cost.kvWrittenBytes).toBe(131_072);
    expect(cost.hbmBytes).toBe(15_009_316_864 + 131_072_000 + 131_072 + 8192);
    expect(cost.allReduceBytes).toBe(0);
  });

  it('prefill of 2,048 tokens: causal pairs, one row of logits', () => {
    const cost = passCost(llama8b, countsOf({ phase: 'prefill', batch: 1, prompt: 2048 }));
    expect(cost.matrixWork).toBe(2048 * 2 * layers + 2 * head);
    expect(cost.attentionWork).toBe(524_288 * ((2048 * 2049) / 2));
    expect(cost.kvWrittenBytes).toBe(2048 * 131_072);
  });

  it('a cached prefix costs pairs and KV reads, no matrices', () => {
    const cold = passCost(llama8b, countsOf({ phase: 'prefill', batch: 1, prompt: 512 }));
    const warm = passCost(llama8b, countsOf({ phase: 'prefill', batch: 1, prompt: 512, cached: 1024 }));
    expect(warm.matrixWork).toBe(cold.matrixWork);
    expect(warm.attentionWork - cold.attentionWork).toBe(524_288 * 512 * 1024);
    expect(warm.kvReadBytes - cold.kvReadBytes).toBe(1024 * 131_072);
  });

  it('FP8 halves the weight bytes and splits the work by precision', () => {
    const point = passPoint(llama8b, decode(8, 1000), 1, format('fp8'));
    expect(point.work.fp8).toBe(8 * (2 * layers + 2 * head));
    expect(point.work.bf16).toBe(8 * 524_288_000);
    const bf16 = passCost(llama8b, countsOf(decode(8, 1000)), 1, format('bf16'));
    const fp8 = passCost(llama8b, countsOf(decode(8, 1000)), 1, format('fp8'));
    expect(fp8.weightBytes).toBe(bf16.weightBytes / 2);
    expect(fp8.kvReadBytes).toBe(bf16.kvReadBytes);
  });
});

describe('mixture of experts', () => {
  const mixtral = model('mixtral-8x7b');

  it('one token touches exactly the experts it is routed to; many touch all', () => {
    expect(expertsTouched(mixtral, 1)).toBeCloseTo(2, 12);
    // 8·(1 − (3/4)²) = 3.5
    expect(expertsTouched(mixtral, 2)).toBeCloseTo(3.5, 12);
    expect(expertsTouched(mixtral, 1000)).toBeCloseTo(8, 9);
    expect(expertsTouched(llama8b, 5)).toBe(0);
  });
});

describe('properties', () => {
  const anyModel = fc.constantFrom(...models);
  const batch = fc.integer({ min: 1, max: 4096 });
  const context = fc.integer({ min: 1, max: 131_072 });

  it('intensity of decode rises with batch', () => {
    fc.assert(
      fc.property(anyModel, batch, context, (m, b, c) => {
        expect(intensity(m, decode(b + 1, c))).toBeGreaterThan(intensity(m, decode(b, c)) * (1 - 1e-12));
      }),
    );
  });

  it('intensity of decode at a large batch falls with context', () => {
    fc.assert(
      fc.property(context, (c) => {
        expect(intensity(llama8b, decode(512, c + 1000))).toBeLessThan(intensity(llama8b, decode(512, c)));
      }),
    );
  });

  it('tensor parallelism leaves intensity alone up to the number of KV heads, and lowers it beyond', () => {
    fc.assert(
      fc.property(batch, context, fc.constantFrom(2, 4, 8), (b, c, tp) => {
        const alone = intensity(llama8b, decode(b, c));
        expect(Math.abs(intensity(llama8b, decode(b, c), tp) / alone - 1)).toBeLessThan(1e-12);
        expect(intensity(llama8b, decode(b, c), 16)).toBeLessThan(alone);
      }),
    );
  });

  it('work and weights are shared out completely among the ranks', () => {
    fc.assert(
      fc.property(anyModel, batch, context, fc.constantFrom(2, 4, 8), (m, b, c, tp) => {
        const whole = passCost(m, countsOf(decode(b, c)), 1);
        const part = passCost(m, countsOf(decode(b, c)), tp);
        expect(Math.abs((part.work * tp) / whole.work - 1)).toBeLessThan(1e-12);
        expect(Math.abs((part.weightBytes * tp) / whole.weightBytes - 1)).toBeLessThan(1e-12);
      }),
    );
  });

  it('a batch of prompts is its prompts one by one, but for the weights', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 8192 }), (b, prompt) => {
        const one = passCost(llama8b, countsOf({ phase: 'prefill', batch: 1, prompt }));
        const all = passCost(llama8b, countsOf({ phase: 'prefill', batch: b, prompt }));
        expect(all.work).toBeCloseTo(b * one.work, -6);
        expect(all.weightBytes).toBe(one.weightBytes);
      }),
    );
  });

  it('the point carries all the work of the pass', () => {
    fc.assert(
      fc.property(anyModel, batch, context, fc.constantFrom(...servingFormats), (m, b, c, f) => {
        const cost = passCost(m, countsOf(decode(b, c)), 1, f);
        expect(Math.abs(totalWork(passPoint(m, decode(b, c), 1, f)) / cost.work - 1)).toBeLessThan(1e-12);
      }),
    );
  });
});

describe('layers with windows', () => {
  const gptOss = model('gpt-oss-120b');

  it('gpt-oss-120b reads 7.56 GB at 131,072 tokens, not 12.39: half of its layers see 128', () => {
    const cost = passCost(gptOss, countsOf(decode(1, 131_072)));
    // 36 layers × 2 × 8 heads × 64 × 2 B = 73,728 B per token, half of them for 128 tokens only.
    expect(cost.kvReadBytes).toBe(36_864 * (131_072 + 128));
    expect(cost.hbmBytes / 1e9).toBeCloseTo(7.56, 2);
    // 4 × 36 × 64 × 64 FLOP per pair of all layers.
    expect(cost.attentionWork).toBe(294_912 * (131_072 + 128));
  });

  it('shorter than the window, nothing is cut off', () => {
    expect(passCost(gptOss, countsOf(decode(3, 100))).kvReadBytes).toBe(3 * 100 * 73_728);
  });

  it('its products run in BF16 on Hopper and Ampere, at the FP8 rate on Blackwell', () => {
    const computes = ['a100-80gb-sxm', 'h200', 'b200'].map((id) => formatOf(gptOss, findGpu(id)).compute);
    expect(computes).toEqual(['bf16', 'bf16', 'fp8']);
  });

  it('a prompt: token i of a window layer sees min(i, W)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 700 }),
        fc.integer({ min: 0, max: 700 }),
        fc.integer({ min: 1, max: 300 }),
        (tokens, cached, window) => {
          let pairs = 0;
          for (let i = 1; i <= tokens; i++) pairs += Math.min(cached + i, window);
          expect(causalPairs(tokens, cached, window)).toBe(pairs);
        },
      ),
    );
  });

  it('says at each point what is not modelled', () => {
    expect(passPoint(gptOss, decode(1, 1000)).notes.join()).toContain('MXFP4');
  });
});
