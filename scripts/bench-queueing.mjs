// Waits of M/G/1 through the simulator against Pollaczek and Khinchine: docs/measurements/queueing.md.
//   node scripts/bench-queueing.mjs [requests per cell, default 2000000] [seeds, default 3]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { out, root } from './project.mjs';

const { build } = await import('rolldown');
const file = join(out, 'bench', 'queueing.mjs');
mkdirSync(join(out, 'bench'), { recursive: true });
await build({
  input: join(root, 'workloads/engines/sim/queueStudy.ts'),
  platform: 'node',
  transform: { target: 'node20' },
  logLevel: 'warn',
  output: { file, format: 'esm' },
});
const { meanWait } = await import(pathToFileURL(file).href);
const requests = Number(process.argv[2] ?? 2_000_000);
const seeds = Number(process.argv[3] ?? 3);
const services = [
  ['M/D/1', { kind: 'deterministic', mean_ms: 1 }],
  ['M/M/1', { kind: 'exponential', mean_ms: 1 }],
  [
    'M/H2/1 (0.9 × 0.5, 0.1 × 5.5)',
    { kind: 'hyperexponential', short_share: 0.9, short_ms: 0.5, long_ms: 5.5 },
  ],
  ['M/G/1, log-normal cv 1.5', { kind: 'lognormal', mean_ms: 1, cv: 1.5 }],
  ['M/G/1, gamma cv 0.5', { kind: 'gamma', mean_ms: 1, cv: 0.5 }],
];
console.log(
  '| queue | ρ | wait, closed form, ms | simulated | error | budget | error against the moments drawn |\n| --- | --- | --- | --- | --- | --- | --- |',
);
for (const [name, service] of services)
  for (const [rho, budget] of [
    [0.3, 1],
    [0.5, 1],
    [0.8, 1],
    [0.9, 3],
  ]) {
    let sum = 0;
    let expected = 0;
    let ofDraws = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const wait = meanWait(service, rho, requests, seed);
      sum += wait.simulated / seeds;
      expected = wait.expected;
      ofDraws += wait.ofDraws / seeds;
    }
    const error = 100 * (sum / expected - 1);
    console.log(
      `| ${name} | ${rho} | ${expected.toFixed(4)} | ${sum.toFixed(4)} | ${error.toFixed(2)} % | ${budget} % | ${(100 * (sum / ofDraws - 1)).toFixed(2)} % |`,
    );
  }
