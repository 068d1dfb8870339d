import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import {
  checkExpectation,
  type ExpectationCheck,
  type ExpectationsFile,
  type ExpectedFigure,
  expectationOf,
  expectationsFile,
  expectationsText,
  type FigureChange,
  withExpectation,
} from '../../workloads/harness/expectations/expectations.ts';
import type { AnySpec } from '../../workloads/kernels/kernelSpec.ts';
import { formatMetric, formatRatio } from '../../workloads/metrics/format.ts';
import { metricLabel } from '../../workloads/metrics/registry.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import { shellWord } from '../../workloads/run/shellWord.ts';
import { gitCommit, projectFolder } from '../host/machine/dynoVersion.ts';
import { writeAtomically } from '../host/store/atomicFile.ts';
import { fileReason, readJson } from '../shared/openFile.ts';
import type { Terminal } from './terminal.ts';
import { textTable } from './textTable.ts';

export interface ExpectationOptions {
  readonly expect?: boolean;
  readonly updateExpectations?: boolean;
  readonly acceptRegressions?: boolean;
  readonly expectations?: string;
}

export const addExpectationOptions = (command: Command): Command =>
  command
    .option('--expect', 'fail where a figure is worse than expected for this hardware, or none is expected')
    .option('--update-expectations', 'record these figures as expected; worse ones need --accept-regressions')
    .option('--accept-regressions', 'with --expect: worse figures are told and do not fail')
    .option('--expectations <folder>', 'where expectations are kept (default: assets/expectations)');

/** What a bench gave, on its way to being compared with what was expected. */
export interface ExpectedBench {
  /** `sim`, or the slug of the card; absent: servers elsewhere, whose hardware is not known. */
  readonly hardware: string | undefined;
  readonly target: string;
  readonly variants: readonly string[];
  readonly specs: readonly AnySpec[];
  readonly figures: readonly ExpectedFigure[];
}

/** The outcome, as `--json` has it. */
export interface ExpectationOutcome {
  readonly status: 'none' | 'as_expected' | 'improved' | 'changed' | 'regressed' | 'recorded';
  /** Whether the command ends with status 1 because of it. */
  readonly fails: boolean;
  readonly hardware?: string;
  readonly file?: string;
  /** Of the program that the expectation is from. */
  readonly commit?: string;
  readonly check?: ExpectationCheck;
}

/** Throws InputError where the options contradict each other; before anything is run. */
export function checkExpectationOptions(options: ExpectationOptions, engine: string): void {
  const { expect, updateExpectations, acceptRegressions } = options;
  if (acceptRegressions === true && expect !== true && updateExpectations !== true)
    throw new InputError(
      '--accept-regressions: nothing is checked, expected --expect or --update-expectations',
    );
  if (engine === 'http' && (expect === true || updateExpectations === true))
    throw new InputError(
      '--expect and --update-expectations: the hardware of servers is not known, expected engine sim or cuda',
    );
}

/**
 * Compares a bench with what is expected of it, and records it where the options say so. A regression fails with `--expect`, and is
 * never recorded without `--accept-regressions`. Throws InputError where the file cannot be read or written.
 */
export async function heldToExpectations(
  bench: ExpectedBench,
  options: ExpectationOptions,
): Promise<ExpectationOutcome> {
  const { hardware } = bench;
  if (hardware === undefined) return { status: 'none', fails: false };
  const project = projectFolder(import.meta.url);
  const folder =
    options.expectations === undefined ? join(project, 'assets/expectations') : resolve(options.expectations);
  const path = join(folder, `${hardware}.json`);
  const file = readExpectations(path, hardware);
  const setting = { ...bench, variants: [...bench.variants], setting: settingDigest(bench.specs) };
  const known = expectationOf(file, setting);
  const check = known === undefined ? undefined : checkExpectation(known, bench.figures);
  const status = check === undefined ? 'none' : statusOf(check);
  const isAccepted = status !== 'regressed' || options.acceptRegressions === true;
  const about = { hardware, file: path, ...(check === undefined ? {} : { check }) };
  if (options.updateExpectations === true && isAccepted) {
    const commit = gitCommit(project);
    const fresh = {
      target: bench.target,
      variants: setting.variants,
      setting: setting.setting,
      command: measuredWords(process.argv.slice(process.argv.indexOf('bench') + 1)),
      ...(commit === undefined ? {} : { commit }),
      figures: [...bench.figures],
    };
    await writeExpectations(folder, path, withExpectation(file, fresh));
    return { status: 'recorded', fails: false, ...about };
  }
  const wanted = options.expect === true || options.updateExpectations === true;
  return {
    status,
    fails: wanted && (status === 'none' || !isAccepted),
    ...about,
    ...(known?.commit === undefined ? {} : { commit: known.commit }),
  };
}

function readExpectations(path: string, hardware: string): ExpectationsFile {
  if (!existsSync(path)) return { schema: 1, hardware, expectations: [] };
  const parsed = expectationsFile.safeParse(readJson(path, 'expectations (JSON)'));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new InputError(`${path}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`);
  }
  if (parsed.data.hardware !== hardware)
    throw new InputError(`${path}: hardware "${parsed.data.hardware}", expected "${hardware}"`);
  return parsed.data;
}

async function writeExpectations(folder: string, path: string, file: ExpectationsFile): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await writeAtomically(path, expectationsText(file));
  } catch (thrown) {
    throw new InputError(
      `${path}: ${fileReason(thrown)}, expected a folder to write to (--expectations FOLDER)`,
    );
  }
}

const statusOf = ({ changes, missing }: ExpectationCheck): ExpectationOutcome['status'] => {
  const verdicts = new Set(changes.map(({ verdict }) => verdict));
  if (verdicts.has('regressed') || missing.length > 0) return 'regressed';
  return verdicts.has('changed') ? 'changed' : verdicts.has('improved') ? 'improved' : 'as_expected';
};

/** Of everything that can change a result; the order of keys is none of it. */
export const settingDigest = (specs: readonly AnySpec[]): string =>
  createHash('sha256')
    .update(JSON.stringify(sorted(specs)))
    .digest('hex')
    .slice(0, 16);

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

/** Options that change nothing about what is measured; those of the second list take a word. */
const idle = /^--(?:expect|update-expectations|accept-regressions|check-inputs|json|keep|no-keep)$/;
const idleWithWord = /^--(?:expectations|out|report|profile)$/;

/** The words of the command line that say what was measured. */
export const measuredWords = (words: readonly string[]): string =>
  words
    .filter(
      (word, i) => !idle.test(word) && !idleWithWord.test(word) && !idleWithWord.test(words[i - 1] ?? ''),
    )
    .map(shellWord)
    .join(' ');

/** What the terminal says: a line, and with `--expect` the table of what moved. Nothing where nothing is expected or asked for. */
export function expectationLines(
  outcome: ExpectationOutcome,
  { expect, updateExpectations }: ExpectationOptions,
  paint: Terminal['paint'],
): string[] {
  const { status, check, file = '' } = outcome;
  const isAsked = expect === true || updateExpectations === true;
  if (status === 'recorded') return [`expectations: recorded in ${file}`];
  if (check === undefined)
    return isAsked
      ? [`expectations: ${paint.bad('none')} for this setting in ${file}; --update-expectations records them`]
      : [];
  const count = (verdict: FigureChange['verdict']) =>
    check.changes.filter((change) => change.verdict === verdict).length;
  const since = outcome.commit === undefined ? '' : ` since commit ${outcome.commit.slice(0, 12)}`;
  if (status === 'as_expected') return [`expectations: all ${check.figures} figures as expected${since}`];
  const words = (['regressed', 'changed', 'improved'] as const)
    .filter((verdict) => count(verdict) > 0)
    .map((verdict) => `${count(verdict)} ${verdict}`);
  const lost = check.missing.length === 0 ? [] : [`${check.missing.length} missing`];
  const line = `expectations: of ${check.figures} figures ${[...words, ...lost].join(', ')}${since}`;
  if (!isAsked) return [`${line}; --expect shows them`];
  return [
    '',
    expectationTable(check.changes, paint),
    ...check.missing.map((name) => `missing: ${name}`),
    status === 'regressed' ? paint.bad(line) : line,
    outcome.fails
      ? 'where this is intended: --update-expectations --accept-regressions'
      : '--update-expectations records them',
  ];
}

function expectationTable(changes: readonly FigureChange[], paint: Terminal['paint']): string {
  const withInterval = ({ of, metric, median, ci95 }: ExpectedFigure): string => {
    const value = of === 'ratio' ? formatRatio(median) : formatMetric(metric, median);
    return ci95 === undefined ? value : `${value} (${ci95.map((end) => end.toPrecision(4)).join('–')})`;
  };
  return textTable(
    [
      { title: 'of' },
      { title: 'metric' },
      { title: 'expected', align: 'right' },
      { title: 'found', align: 'right' },
      { title: 'ratio', align: 'right' },
      { title: 'verdict' },
    ],
    changes.map(({ of, metric, expected, found, ratio, verdict }) => [
      of,
      metricLabel(metric),
      withInterval(expected),
      withInterval(found),
      ratio === undefined ? '–' : ratio.toFixed(4),
      verdict === 'regressed' ? paint.bad(verdict) : verdict === 'improved' ? paint.good(verdict) : verdict,
    ]),
  );
}
