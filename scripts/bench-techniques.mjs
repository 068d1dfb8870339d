// Prints the figures behind the lessons of the model-side techniques: docs/measurements/techniques.md.
//   node scripts/bench-techniques.mjs [speculation|guided|exit|kv|host]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { out, root } from './project.mjs';

const { build } = await import('rolldown');
const file = join(out, 'bench', 'techniques.mjs');
mkdirSync(join(out, 'bench'), { recursive: true });
await build({
  input: join(root, 'workloads/engines/sim/bench/techniquesMain.ts'),
  platform: 'node',
  transform: { target: 'node20' },
  logLevel: 'warn',
  output: { file, format: 'esm' },
});
const { bench } = await import(pathToFileURL(file).href);
const only = process.argv[2];
const line = (/** @type {unknown[]} */ cells) => console.log(`| ${cells.join(' | ')} |`);
const head = (/** @type {string[]} */ cells) => {
  console.log('');
  line(cells);
  line(cells.map(() => '---'));
};
const shown = (/** @type {number | undefined} */ value, digits = 1) =>
  value === undefined ? '' : value.toFixed(digits);

if (only === undefined || only === 'speculation') {
  const lengths = [1, 2, 3, 4, 5, 6, 8, 10, 12];
  head(['batch', 'α', 'baseline TPOT, ms', ...lengths.map((k) => `K ${k}`), 'computed K', 'adaptive']);
  for (const alpha of [0.5, 0.7, 0.85])
    for (const sequences of [1, 4, 16, 64, 128, 256]) {
      const row = bench.draftLengths(sequences, alpha, lengths);
      line([
        sequences,
        alpha,
        shown(row.baselineMs, 2),
        ...row.speedups.map((/** @type {number} */ s) => `${shown(s, 2)} ×`),
        row.computed,
        `${shown(row.adaptive, 2)} ×`,
      ]);
    }
  head([
    'rate, 1/s',
    'variant',
    'TPOT mean',
    'TPOT p95',
    'TTFT p95',
    'tokens/s',
    'tokens/round',
    'draft length',
    'draft time',
  ]);
  for (const rate_rps of [1, 4, 16, 32, 48])
    for (const row of bench.variantRows('ch15:speculative_decoding', ['baseline', 'fixed', 'optimized'], {
      rate_rps,
    }))
      line([
        rate_rps,
        row.variant,
        shown(row.tpot_mean, 2),
        shown(row.tpot_p95, 2),
        shown(row.ttft_p95, 0),
        shown(row.output_tokens_per_s, 0),
        shown(row.tokens_per_round, 2),
        shown(row.draft_length, 2),
        shown(row.draft_time_share, 2),
      ]);
}
if (only === undefined || only === 'guided') {
  head([
    'rate, 1/s',
    'threads',
    'variant',
    'TPOT mean',
    'TPOT p95',
    'TTFT p95',
    'tokens/s',
    'waiting for masks',
  ]);
  for (const [rate_rps, mask_threads] of [
    [1, 1],
    [4, 1],
    [4, 16],
    [16, 1],
    [16, 16],
  ])
    for (const row of bench.variantRows(
      'ch15:guided_decoding',
      ['free', 'baseline', 'cached', 'overlapped', 'optimized'],
      { rate_rps, mask_threads },
    ))
      line([
        rate_rps,
        mask_threads,
        row.variant,
        shown(row.tpot_mean, 2),
        shown(row.tpot_p95, 2),
        shown(row.ttft_p95, 0),
        shown(row.output_tokens_per_s, 0),
        shown(row.mask_exposed_share, 3),
      ]);
}
if (only === undefined || only === 'exit') {
  head([
    'rate, 1/s',
    'check',
    'threshold',
    'variant',
    'TPOT mean',
    'tokens/s',
    'depth of a token',
    'depth of a pass',
    'agreement',
  ]);
  /** @type {[number, string, number][]} */
  const cells = [
    [0.2, 'classifier', 0.9],
    [0.2, 'classifier', 0.5],
    [0.2, 'classifier', 0.1],
    [0.2, 'softmax', 0.9],
    [2, 'classifier', 0.9],
    [16, 'classifier', 0.9],
  ];
  for (const [rate_rps, confidence_check, threshold] of cells)
    for (const row of bench.variantRows(
      'ch17:inference_full',
      ['baseline', 'deepest', 'optimized', 'rebatched'],
      { rate_rps, confidence_check, threshold, duration_s: rate_rps < 1 ? 600 : 120 },
    ))
      line([
        rate_rps,
        confidence_check,
        threshold,
        row.variant,
        shown(row.tpot_mean, 2),
        shown(row.output_tokens_per_s, 0),
        shown(row.token_depth, 3),
        shown(row.pass_depth, 3),
        shown(row.exit_agreement, 3),
      ]);
}
if (only === undefined || only === 'kv') {
  head([
    'GPU',
    'rate, 1/s',
    'variant',
    'KV blocks',
    'KV peak',
    'preempted',
    'TPOT mean',
    'TTFT p95',
    'tokens/s',
    'goodput, 1/s',
  ]);
  /** @type {[string, number][]} */
  const cells = [
    ['a100-80gb-sxm', 0.5],
    ['a100-80gb-sxm', 1.5],
    ['a100-80gb-sxm', 2.5],
    ['h100-sxm', 5],
    ['l40s', 1],
  ];
  for (const [gpu, rate_rps] of cells)
    for (const row of bench.variantRows(
      'serving:kv_quantisation',
      ['baseline', 'optimized', 'int4', 'int4_naive'],
      { gpu, rate_rps },
    ))
      line([
        gpu,
        rate_rps,
        row.variant,
        row.kv_blocks,
        shown(row.kv_peak, 2),
        row.preempted,
        shown(row.tpot_mean, 2),
        shown(row.ttft_p95, 0),
        shown(row.output_tokens_per_s, 0),
        shown(row.goodput_rps, 2),
      ]);
}
if (only === undefined || only === 'host') {
  head([
    'rate, 1/s',
    'host, µs',
    'per sequence, µs',
    'variant',
    'TPOT mean',
    'TPOT p95',
    'TTFT p95',
    'tokens/s',
  ]);
  for (const [rate_rps, host_us, host_us_per_sequence] of [
    [1, 3000, 50],
    [4, 3000, 50],
    [16, 3000, 50],
    [16, 3000, 400],
  ])
    for (const row of bench.variantRows('ch15:inference_monolithic', ['free', 'baseline', 'optimized'], {
      rate_rps,
      host_us,
      host_us_per_sequence,
    }))
      line([
        rate_rps,
        host_us,
        host_us_per_sequence,
        row.variant,
        shown(row.tpot_mean, 2),
        shown(row.tpot_p95, 2),
        shown(row.ttft_p95, 0),
        shown(row.output_tokens_per_s, 0),
      ]);
}
