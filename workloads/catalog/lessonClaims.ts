import { simEngine } from '../engines/sim/engine.ts';
import { summaryFigures } from '../metrics/summaryFigures.ts';
import type { ParameterValue } from '../run/parameter.ts';
import { shellWord } from '../run/shellWord.ts';
import type { Summary } from '../run/summary.ts';
import type { EventSink } from '../run/tables.ts';
import { generate, replicateSeed } from '../traffic/generate.ts';
import { findTarget } from './catalog.ts';
import { lessonFigures } from './lessonFigures.ts';

/** A figure that a lesson states, and the run that gives it. */
export interface LessonClaim {
  readonly target: string;
  /** The words of the lesson that state it; they must stand there as they are. */
  readonly says: string;
  readonly variant: string;
  readonly set: Readonly<Record<string, ParameterValue>>;
  /** A figure of the summary, as `summaryFigures` names it. */
  readonly figure: string;
  readonly value: number;
  /** Relative tolerance: how far the words allow it to be off. */
  readonly within: number;
  /** Takes longer than a test should: checked by `npm run lessons` alone. */
  readonly nightly: boolean;
}

export const lessonClaims: readonly LessonClaim[] = lessonFigures;

export const claimsOf = (target: string): readonly LessonClaim[] =>
  lessonClaims.filter((claim) => claim.target === target);

/** The command that recreates a claim. */
export const commandOf = ({ target, variant, set }: LessonClaim): string =>
  [
    'dyno',
    'run',
    target,
    '--variant',
    variant,
    ...Object.entries(set).flatMap(([k, v]) => ['--set', `${k}=${v}`]),
  ]
    .map(shellWord)
    .join(' ');

const nowhere: EventSink = {
  wants: [],
  batch: () => undefined,
  progress: () => undefined,
  log: () => undefined,
};

const done = new Map<string, Summary>();

/** Runs the claim's command, as the command line would. Claims of one run share it. */
export function recreate(claim: LessonClaim): { readonly value: number; readonly holds: boolean } {
  const key = commandOf(claim);
  const summary = done.get(key) ?? run(claim);
  done.set(key, summary);
  const value = summaryFigures(summary).get(claim.figure) ?? Number.NaN;
  return { value, holds: Math.abs(value / claim.value - 1) <= claim.within };
}

function run({ target: id, variant, set }: LessonClaim): Summary {
  const target = findTarget(id);
  if (target === undefined) throw new Error(`no target ${id}`);
  const iterations = target.replicates ?? 1;
  const spec = target.spec({ variant, engine: 'sim', parameters: set, seed: 0, iterations });
  const { traffic } = spec;
  if (traffic.kind === 'trace') throw new Error('a lesson needs no file');
  const simulated = simEngine.open(
    spec,
    (replicate) => generate(traffic, replicateSeed(spec.seed, replicate)),
    nowhere,
  );
  while (!simulated.step(Number.POSITIVE_INFINITY, 1_000_000));
  return simulated.finish();
}
