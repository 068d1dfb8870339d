import {
  type KernelRatio,
  kernelRatios,
  type VariantTimes,
} from '../../../workloads/kernels/kernelComparison.ts';
import type { KernelSpec } from '../../../workloads/kernels/kernelSpec.ts';
import type { KernelSummary } from '../../../workloads/kernels/kernelSummary.ts';
import { formatRatio } from '../../../workloads/metrics/format.ts';
import { minRepetitions } from '../../../workloads/metrics/interval.ts';
import type { Comparison, ComparisonRow } from '../../contract/protocol.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import { numbers, query, type RowSource, texts } from '../store/duckdb.ts';
import type { ManifestOf } from '../store/manifest.ts';
import { perturbedSides } from './compareRuns.ts';
import { differencesOf } from './specDifferences.ts';

/** One side: a run that measured kernels. */
export interface ComparedKernels {
  readonly manifest: ManifestOf<KernelSpec>;
  /** Absent where the run ended before it was summarised. */
  readonly summary: KernelSummary | undefined;
  readonly kernels: RowSource | undefined;
  /** Bundles of before there was a `kernels` table have their times here. */
  readonly samples: RowSource | undefined;
}

interface Against {
  readonly baseline: VariantTimes;
  readonly optimized: VariantTimes;
  /** What a row is about where there are several. */
  readonly of: string;
}

/**
 * The variants of one run (given twice) measured in turn: whole rounds are resampled. Of two runs the variants that both
 * measured, each against itself; where they share none, the first one's baseline against the second one's optimized.
 */
export async function compareKernels(a: ComparedKernels, b: ComparedKernels): Promise<Comparison> {
  const isOneRun = a.manifest.run === b.manifest.run;
  const { seed, target } = a.manifest.spec;
  if (b.manifest.spec.target !== target)
    throw new RunFailure({
      code: 'bad_input',
      message: `unlike targets: ${a.manifest.run} measured ${target}, ${b.manifest.run} measured ${b.manifest.spec.target}`,
      hint: 'The times of different work say nothing about each other.',
    });
  const left = await iterationTimes(a);
  const right = isOneRun ? left : await iterationTimes(b);
  const pairs = isOneRun ? withinRun(a.manifest.run, left) : acrossRuns(left, right);
  const ratios = pairs.flatMap(({ baseline, optimized, of }) =>
    kernelRatios(baseline.milliseconds, optimized, { seed, paired: isOneRun }).map((row) => ({ ...row, of })),
  );
  const perturbed = perturbedSides(a.manifest, b.manifest);
  const verification = verificationOf(isOneRun ? [a] : [a, b]);
  const isUsable = perturbed.length === 0 && verification.status !== 'failed';
  const rows = ratios.map((row) => rowOf(row, isUsable, pairs.length > 1));
  const [main] = pairs;
  return {
    baseline: a.manifest.run,
    optimized: b.manifest.run,
    verdict: verdictOf(pairs, ratios, perturbed, verification.status),
    rows,
    method: isOneRun
      ? `measured in turn (A B A B …); ratio of ${rounds(main)} rounds’ statistics, 95 % interval from 2000 resamples of whole rounds, seed ${seed}`
      : `each run’s ${rounds(main)} rounds resampled by themselves, 95 % interval from 2000 resamples, seed ${seed}: what drifted between the runs is in the ratio`,
    verification,
    differences: isOneRun ? [] : differencesOf(a.manifest, b.manifest),
    warnings: warningsOf(a, b, isOneRun, main),
  };
}

const rounds = (pair: Against | undefined): number =>
  pair === undefined ? 0 : Math.min(pair.baseline.milliseconds.length, pair.optimized.milliseconds.length);

function withinRun(run: string, times: readonly VariantTimes[]): Against[] {
  const baseline = times.find(({ variant }) => variant === 'baseline') ?? times[0];
  const others = times.filter((each) => each !== baseline);
  if (baseline === undefined || others.length === 0)
    throw new RunFailure({
      code: 'bad_input',
      message: `run ${run} measured ${times.length === 0 ? 'nothing' : `variant ${baseline?.variant} alone`}: there is nothing to compare within it`,
      hint: 'Run A/B measures the variants in turn; or give a second run.',
    });
  // The verdict is about the first pair: `optimized` where there is one.
  others.sort((x, y) => Number(y.variant === 'optimized') - Number(x.variant === 'optimized'));
  return others.map((optimized) => ({ baseline, optimized, of: optimized.variant }));
}

function acrossRuns(left: readonly VariantTimes[], right: readonly VariantTimes[]): Against[] {
  const shared = left.flatMap((baseline) => {
    const optimized = right.find(({ variant }) => variant === baseline.variant);
    return optimized === undefined ? [] : [{ baseline, optimized, of: baseline.variant }];
  });
  if (shared.length > 0)
    return shared.sort((x, y) => Number(y.of === 'optimized') - Number(x.of === 'optimized'));
  const baseline = left.find(({ variant }) => variant === 'baseline') ?? left[0];
  const optimized = right.find(({ variant }) => variant === 'optimized') ?? right.at(-1);
  return baseline === undefined || optimized === undefined
    ? []
    : [{ baseline, optimized, of: optimized.variant }];
}

/** Measured iterations by variant, in the order of the spec and of the rounds. */
export async function iterationTimes({
  manifest,
  kernels,
  samples,
}: Omit<ComparedKernels, 'summary'>): Promise<VariantTimes[]> {
  const source = kernels ?? samples;
  if (source === undefined) return [];
  const found = await query(
    source.instance,
    kernels === undefined
      ? `SELECT source[9:] AS name, value AS ms FROM ${source.from}
         WHERE source LIKE 'variant:%' AND metric = 'workload_ms' ORDER BY time_ns`
      : `SELECT variant AS name, duration_ns::DOUBLE / 1e6 AS ms FROM ${source.from}
         WHERE kind = 'iteration' AND iteration IS NOT NULL ORDER BY iteration, start_ns`,
  );
  const names = texts(found, 'name');
  const ms = numbers(found, 'ms');
  return manifest.spec.variants.flatMap((variant) => {
    const own = ms.filter((_, i) => names[i] === variant);
    return own.length === 0 ? [] : [{ variant, milliseconds: own }];
  });
}

function rowOf(row: KernelRatio, isUsable: boolean, isOneOfMany: boolean): ComparisonRow {
  const { ratio, significant } = row;
  const [low, high] = row.ci95 ?? [ratio, ratio];
  return {
    metric: row.metric,
    ...(isOneOfMany ? { of: row.of } : {}),
    baseline: row.baseline,
    optimized: row.optimized,
    ratio,
    ci95: [low, high],
    significant,
    better: 'lower',
    verdict: isUsable && significant ? (ratio < 1 ? 'better' : 'worse') : 'no_evidence',
  };
}

function verdictOf(
  pairs: readonly Against[],
  ratios: readonly KernelRatio[],
  perturbed: readonly string[],
  verification: string,
): string {
  if (perturbed.length > 0) return `No verdict: ${perturbed.join(' and ')} went on inside a profiler.`;
  if (verification === 'failed') return 'The outputs are wrong: the times mean nothing.';
  const sentences = pairs.map(({ baseline, optimized, of }) => {
    const name =
      baseline.variant === optimized.variant
        ? `${of} of the second run`
        : `${optimized.variant} against ${baseline.variant}`;
    const found = ratios.find((row) => row.of === of && row.metric === 'workload_ms.p50');
    if (found?.ci95 === undefined)
      return `${name}: fewer than ${minRepetitions} rounds carry no interval, and so no verdict`;
    const [low, high] = found.ci95;
    const interval = `ratio ${formatRatio(found.ratio)}, 95 % CI ${low.toFixed(3)}–${high.toFixed(3)}`;
    if (!found.significant) return `${name}: no evidence of a difference (${interval})`;
    const change = (Math.abs(1 - found.ratio) * 100).toPrecision(3);
    return `${name}: ${change} % ${found.ratio < 1 ? 'less' : 'more'} time (${interval})`;
  });
  const text = sentences.join('; ');
  const unverified =
    verification === 'not_run' ? ' Its outputs were not verified: the run ended before.' : '';
  return text === '' ? 'Nothing was measured.' : `${text}.${unverified}`;
}

function verificationOf(sides: readonly ComparedKernels[]): Comparison['verification'] {
  const statuses = sides.map(({ summary }) => summary?.verification.status ?? 'not_run');
  const status = statuses.includes('failed') ? 'failed' : statuses.includes('not_run') ? 'not_run' : 'passed';
  const worst = sides.flatMap(({ manifest, summary }) =>
    Object.entries(summary?.variants ?? {}).flatMap(([variant, { verification }]) =>
      verification
        .filter(({ ok }) => !ok)
        .map(
          (check) =>
            `${manifest.run}: ${variant}: ${check.output} differs by ${check.worst.toPrecision(3)}, allowed ${check.limit}`,
        ),
    ),
  );
  return {
    status,
    method: sides[0]?.summary?.verification.method ?? 'the run ended before its outputs were verified',
    ...(worst.length === 0 ? {} : { detail: `${worst.join('; ')}.` }),
  };
}

function warningsOf(
  a: ComparedKernels,
  b: ComparedKernels,
  isOneRun: boolean,
  pair: Against | undefined,
): string[] {
  const warnings: string[] = [];
  const sides = isOneRun
    ? [['this run', a] as const]
    : [['the first run', a] as const, ['the second run', b] as const];
  for (const [name, { manifest }] of sides)
    if (manifest.status !== 'done')
      warnings.push(
        `${name[0]?.toUpperCase()}${name.slice(1)} is ${manifest.status}: its figures cover only what it did.`,
      );
  const [left, right] = [a.summary?.device.name, b.summary?.device.name];
  if (left !== undefined && right !== undefined && left !== right)
    warnings.push(`Unlike GPUs: ${left} and ${right}.`);
  if (JSON.stringify(a.manifest.spec.parameters) !== JSON.stringify(b.manifest.spec.parameters))
    warnings.push('Unlike parameters: the two runs did not do the same work.');
  if (rounds(pair) < minRepetitions)
    warnings.push(`Only ${rounds(pair)} rounds were measured: an interval takes at least ${minRepetitions}.`);
  return warnings;
}
