import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { invariantsOf } from '../../engines/sim/invariants.ts';
import { simReplicate } from '../../engines/sim/simReplicate.ts';
import {
  KeepingSink,
  runSpecOn,
  type TinyRequest,
  tinySpec,
  tinyTraffic,
} from '../../engines/sim/tinyRun.ts';
import { Recorder } from '../../record/recorder.ts';
import { type RunSpec, runSpec } from '../../run/spec.ts';
import type { SpeculationSpec } from '../../run/techniqueSpec.ts';
import { bestDraftLength, expectedTokens } from './draftLength.ts';

const roofline = {
  kind: 'roofline',
  gpu: 'h100-sxm',
  tensor_parallel: 1,
  compute_efficiency: 0.6,
  memory_efficiency: 0.8,
  iteration_overhead_us: 500,
} as const;

function spec(technique: Partial<SpeculationSpec> | undefined, blocks = 100_000, sequences = 64): RunSpec {
  const tiny = tinySpec({ sequences, reuse: false });
  return runSpec.parse({
    ...tiny,
    cluster: {
      ...tiny.cluster,
      instances: [{ name: 'i0', pool: 'mixed', serves: 'modelled', cost: roofline, kv_blocks: blocks }],
      ...(technique === undefined
        ? {}
        : {
            technique: {
              kind: 'speculation',
              draft: { kind: 'model', model: 'llama-3.2-1b', overhead_us: 100 },
              length: 4,
              acceptance: { mean: 0.8 },
              ...technique,
            },
          }),
    },
  });
}

const together = (n: number, output: number): TinyRequest[] =>
  Array.from({ length: n }, () => ({ at: 0, prompt: 100, output }));

const figuresOf = (s: RunSpec, requests: readonly TinyRequest[]) => {
  const { summary } = runSpecOn(s, tinyTraffic(requests));
  return { ...summary.technique, makespan: summary.makespan_s, completed: summary.requests.completed };
};

describe('the closed form', () => {
  test('1 + α + … + α^K, and (1 − α^(K+1))/(1 − α)', () => {
    expect(expectedTokens(0.5, 3)).toBe(1.875);
    expect(expectedTokens(0, 5)).toBe(1);
    expect(expectedTokens(1, 5)).toBe(6);
    expect(expectedTokens(0.8, 2, 0.5)).toBeCloseTo(1 + 0.8 + 0.8 * 0.4, 12);
  });

  test.each([
    [0.3, 2],
    [0.6, 4],
    [0.8, 1],
    [0.8, 5],
    [0.95, 8],
  ])('the simulator gives it at α %s, K %s', (mean, length) => {
    // 60 × 2,000 tokens; a round's tokens vary by less than K, so four standard errors are 4 K ÷ √rounds.
    const figures = figuresOf(
      spec({ length, acceptance: { mean, spread: 0, position_decay: 1 } }),
      together(60, 2000),
    );
    const rounds = (60 * 2000) / expectedTokens(mean, length);
    const error = (4 * length) / Math.sqrt(rounds);
    expect(Math.abs((figures.tokens_per_round ?? 0) - expectedTokens(mean, length))).toBeLessThan(error);
  });

  test('acceptance that decays by position gives the same sum with decayed factors', () => {
    const figures = figuresOf(
      spec({ length: 4, acceptance: { mean: 0.9, spread: 0, position_decay: 0.8 } }),
      together(60, 2000),
    );
    expect(figures.tokens_per_round).toBeCloseTo(expectedTokens(0.9, 4, 0.8), 1);
  });

  test('nothing accepted gives one token per round, everything K + 1', () => {
    const one = figuresOf(spec({ acceptance: { mean: 0, spread: 0, position_decay: 1 } }), together(3, 101));
    expect(one.tokens_per_round).toBe(1);
    const all = figuresOf(spec({ acceptance: { mean: 1, spread: 0, position_decay: 1 } }), together(3, 101));
    // The first of the 101 comes with the prompt; 100 are 20 rounds of 5.
    expect(all.tokens_per_round).toBe(5);
  });
});

describe('what it costs', () => {
  test('a round of one sequence by hand: 4 drafts of the small model, one pass of the large one over 5 positions', () => {
    const { sink } = runSpecOn(
      spec({ acceptance: { mean: 0, spread: 0, position_decay: 1 } }),
      tinyTraffic(together(1, 2)),
    );
    const rows = sink.table('iterations');
    const decode = rows.find((row) => Number(row['decode_sequences']) === 1);
    const ns = Number(decode?.['end_ns']) - Number(decode?.['start_ns']);
    // Weights of the 8B's layers and head, of the 1B's four times (tied head); KV of 101 … 105 tokens; at 0.8 × 3.35 TB/s.
    const bytes = 2 * (32 * 218_103_808 + 4096 * 128_256) + 105 * 131_072;
    const draft = 4 * 2 * (16 * 60_817_408 + 2048 * 128_256) + (101 + 102 + 103 + 104) * 32_768;
    const expected = 500_000 + 4 * 100_000 + ((bytes + draft) / (0.8 * 3350)) * 1;
    expect(Math.abs(ns / expected - 1)).toBeLessThan(0.001);
  });

  test('alone it pays; in a batch that keeps the tensor cores busy it does not', () => {
    const speedup = (n: number): number =>
      figuresOf(spec(undefined, 100_000, 512), together(n, 200)).makespan /
      figuresOf(spec({}, 100_000, 512), together(n, 200)).makespan;
    expect(speedup(1)).toBeGreaterThan(1.5);
    expect(speedup(512)).toBeLessThan(1);
  });

  test('an adaptive length stops drafting where drafting costs', () => {
    const alone = figuresOf(spec({ adaptive: true }, 100_000, 512), together(1, 300));
    const crowd = figuresOf(spec({ adaptive: true }, 100_000, 512), together(512, 300));
    expect(alone.draft_length).toBeGreaterThan(2);
    expect(crowd.draft_length).toBeLessThan(0.5);
    const plain = figuresOf(spec(undefined, 100_000, 512), together(512, 300));
    expect(crowd.makespan / plain.makespan).toBeLessThan(1.1);
  });

  test('the best length is the one that gives the most tokens per second', () => {
    // A draft costs a tenth of a pass: Leviathan's figure 2 has the optimum between 4 and 8 at α 0.8.
    expect(bestDraftLength(0.8, 16, (k) => 1 + 0.1 * k)).toBe(6);
    expect(bestDraftLength(0.8, 16, (k) => 1 + k)).toBe(0);
    expect(bestDraftLength(0.99, 8, () => 1)).toBe(8);
  });
});

test('the same tokens are guessable whatever the length: a longer draft never takes more rounds', () => {
  const rounds = (length: number): number => {
    const { sink } = runSpecOn(spec({ length }), tinyTraffic(together(1, 500)));
    return sink
      .table('iterations')
      .filter((row) => Number(row['decode_sequences']) > 0)
      .reduce((sum, row) => sum + Number(row['passes']), 0);
  };
  const counts = [1, 2, 4, 8].map(rounds);
  expect([...counts].sort((a, b) => b - a)).toEqual(counts);
});

test('blocks, requests and causality hold under memory pressure, and a run repeats byte for byte', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          at: fc.integer({ min: 0, max: 300 }),
          prompt: fc.integer({ min: 1, max: 60 }),
          output: fc.integer({ min: 1, max: 60 }),
        }),
        { minLength: 1, maxLength: 25 },
      ),
      fc.integer({ min: 8, max: 30 }),
      fc.integer({ min: 1, max: 6 }),
      fc.boolean(),
      fc.constantFrom(0, 0.2),
      (drawn, blocks, length, adaptive, spread) => {
        const requests = [...drawn].sort((a, b) => a.at - b.at);
        const own = spec(
          { length, adaptive, acceptance: { mean: 0.7, spread, position_decay: 0.9 } },
          blocks,
          8,
        );
        const run = () => {
          const sink = new KeepingSink();
          const replicate = simReplicate(own, tinyTraffic(requests), 0, new Recorder(own, sink), () => {});
          const check = invariantsOf(replicate);
          replicate.onEvent = check;
          while (!replicate.advance(Number.POSITIVE_INFINITY, 1));
          check();
          expect(replicate.completed).toBe(requests.length);
          // Every token of every request was made once, and again only where a prompt was recomputed after a preemption.
          expect(replicate.instances[0]?.counters.outputTokensDone).toBe(
            requests.reduce((sum, r) => sum + r.output, 0),
          );
          return sink.table('requests');
        };
        expect(run()).toEqual(run());
      },
    ),
    { numRuns: 60 },
  );
});
