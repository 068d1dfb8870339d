import { IterationShape } from '../cost/costModel.ts';
import { InputError } from '../run/inputError.ts';
import type { Ns, Tokens } from '../units.ts';
import { type Calibration, type FitKind, fitToPasses, type PassesOf, type Point } from './fitCost.ts';

/** A row of a bundle's `iterations` table: consecutive passes of one batch on one instance. */
export interface MeasuredPasses {
  readonly passes: number;
  /** Of all of them together. */
  readonly ns: Ns;
  /** Computed in all of them together. */
  readonly prefillTokens: Tokens;
  readonly decodeSequences: number;
  /** Context of the decoding sequences at the first pass. */
  readonly contextTokens: Tokens;
}

const phaseOf = ({ prefillTokens, decodeSequences }: MeasuredPasses): string =>
  prefillTokens === 0 ? 'decode' : decodeSequences === 0 ? 'prefill' : 'mixed';

/**
 * Fits to the passes of a run; every second row is held out. A row knows how many prompt tokens were computed, not whose: they are
 * taken as one prompt from its start, so that long prompts cut into chunks look cheaper in pairs than they were.
 */
export function calibrateToPasses(
  fit: FitKind,
  of: PassesOf,
  rows: readonly MeasuredPasses[],
  steps = 200,
): Calibration {
  const known = rows.filter(
    ({ passes, ns, prefillTokens, decodeSequences }) =>
      passes > 0 && ns > 0 && prefillTokens + decodeSequences > 0,
  );
  if (known.length < 20) {
    throw new InputError(
      `the run has ${known.length} rows of passes with work in them, expected at least 20 to fit one half and test the other`,
    );
  }
  const shapes = known.map(({ passes, prefillTokens, decodeSequences, contextTokens }) => {
    const shape = new IterationShape();
    const chunk = prefillTokens / passes;
    shape.prefillTokens = chunk;
    shape.prefillPairs = (chunk * (chunk + 1)) / 2;
    shape.prefillContextTokens = chunk;
    shape.prefillSequences = chunk > 0 ? 1 : 0;
    shape.prefillEnds = shape.prefillSequences;
    shape.decodeSequences = decodeSequences;
    // Each pass adds a token to each sequence: the mean of the row.
    shape.decodeContextTokens = contextTokens + (decodeSequences * (passes - 1)) / 2;
    return shape;
  });
  const points: Point[] = known.map((row, i) => ({
    phase: phaseOf(row),
    held: i % 2 === 1,
    measured: row.ns / row.passes,
  }));
  return fitToPasses(fit, of, shapes, points, steps);
}
