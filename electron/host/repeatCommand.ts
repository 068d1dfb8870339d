import type { RunSpec, TrafficSpec } from '../../workloads/harness/spec.ts';
import type { Manifest } from './store/manifest.ts';

/** As a person would type it: quoted only where a shell needs it. */
export const shellWord = (word: string): string =>
  /^[A-Za-z0-9_./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

const trafficOptions = (traffic: TrafficSpec): string[] =>
  traffic.kind === 'trace'
    ? [
        '--trace',
        traffic.path,
        ...(traffic.speedup === 1 ? [] : ['--speedup', String(traffic.speedup)]),
        ...(traffic.limit === undefined ? [] : ['--limit', String(traffic.limit)]),
      ]
    : [];

function options(spec: RunSpec): string[] {
  return [
    ...trafficOptions(spec.traffic),
    ...Object.entries(spec.parameters).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
    ...(spec.seed === 0 ? [] : ['--seed', String(spec.seed)]),
    ...(spec.iterations === 1 ? [] : ['--iterations', String(spec.iterations)]),
  ];
}

const command = (words: readonly string[]): string =>
  ['npm run -s dyno --', ...words.map(shellWord)].join(' ');

export const runCommand = ({ spec }: Pick<Manifest, 'spec'>): string =>
  command(['run', spec.target, '--engine', spec.engine, '--variant', spec.variant, ...options(spec)]);

/** One command where both runs are variants of one target with equal settings, else the comparison of the two bundles. */
export function benchCommand(a: Manifest, b: Manifest): string {
  const same =
    a.spec.target === b.spec.target &&
    JSON.stringify(a.spec.parameters) === JSON.stringify(b.spec.parameters);
  if (!same) return command(['compare', a.run, b.run]);
  const isPair = a.spec.variant === 'baseline' && b.spec.variant === 'optimized';
  return command([
    'bench',
    a.spec.target,
    '--engine',
    a.spec.engine,
    ...(isPair ? [] : ['--variant', `${a.spec.variant},${b.spec.variant}`]),
    ...options(a.spec),
  ]);
}
