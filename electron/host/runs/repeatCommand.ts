import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import { shellWord } from '../../../workloads/run/shellWord.ts';
import { kernels } from '../../shared/kinds/kernels.ts';
import { matchPair } from '../../shared/kinds/runKind.ts';
import { withKind } from '../../shared/kinds/runKinds.ts';
import { serving } from '../../shared/kinds/serving.ts';
import type { Manifest } from '../store/manifest.ts';

const command = (words: readonly string[]): string =>
  ['npm run -s dyno --', ...words.map(shellWord)].join(' ');

export const runCommand = ({ spec }: Pick<Manifest, 'spec'>): string =>
  command(withKind(spec, (kind, own) => kind.runWords(own)));

/** A capture with its choices. */
export const captureCommand = (order: {
  readonly tool: string;
  readonly spec: AnySpec;
  readonly profile: string;
  readonly limit_s: number;
  readonly range?: string | undefined;
  readonly kernels?: string | undefined;
  readonly skip?: number | undefined;
  readonly count?: number | undefined;
}): string =>
  command([
    'capture',
    order.tool,
    order.spec.target,
    '--engine',
    order.spec.engine,
    ...withKind(order.spec, (kind, own) => kind.captureWords(own)),
    '--profile',
    order.profile,
    ...(order.limit_s === 300 ? [] : ['--time-limit', String(order.limit_s)]),
    ...(order.range === undefined ? [] : ['--range', order.range]),
    ...(order.kernels === undefined ? [] : ['--kernels', order.kernels]),
    ...(order.skip === undefined || order.skip === 0 ? [] : ['--skip', String(order.skip)]),
    ...(order.count === undefined ? [] : ['--count', String(order.count)]),
  ]);

/** A capture of a part of a run. */
export const partCommand = (part: {
  readonly tool: string;
  readonly run: string;
  readonly from_ns: number;
  readonly to_ns: number;
  readonly profile: string;
}): string =>
  command([
    'capture',
    part.tool,
    '--run',
    part.run,
    '--from',
    String(part.from_ns / 1e9),
    '--to',
    String(part.to_ns / 1e9),
    '--profile',
    part.profile,
  ]);

/** One command where both runs are variants of one target with equal settings, else the comparison of the two bundles. */
export function benchCommand(a: Manifest, b: Manifest): string {
  const same =
    a.spec.target === b.spec.target &&
    JSON.stringify(a.spec.parameters) === JSON.stringify(b.spec.parameters);
  const pair = same
    ? matchPair(a.spec, b.spec, { serving: serving.pairWords, kernels: kernels.pairWords })
    : undefined;
  return command(pair ?? ['compare', a.run, b.run]);
}
