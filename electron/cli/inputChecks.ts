import {
  type InputCheck,
  judgedInputCheck,
  plannedInputChecks,
} from '../../workloads/harness/inputChecks.ts';
import { summaryFigures } from '../../workloads/metrics/summaryFigures.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import type { RunSpec } from '../../workloads/run/spec.ts';
import type { Summary } from '../../workloads/run/summary.ts';
import { RunFailure } from '../shared/runFailure.ts';
import type { Session } from './session.ts';

/** Throws InputError for an engine whose figures differ from run to run anyway: there the checks could not fail. */
export function checkInputOptions(checkInputs: boolean | undefined, engine: string): void {
  if (checkInputs === true && engine !== 'sim')
    throw new InputError(
      `--check-inputs: measured figures differ from run to run on engine ${engine}, expected sim`,
    );
}

/** Runs each spec again, as it is, with another seed and with other traffic; their bundles are not kept. */
export async function inputChecksOf(
  session: Session,
  specs: readonly RunSpec[],
  summaries: readonly Summary[],
  summaryOf: (session: Session, run: string) => Promise<Summary>,
): Promise<InputCheck[]> {
  const planned = specs.flatMap((spec, i) =>
    plannedInputChecks(spec).map((plan) => ({ ...plan, variant: spec.variant, first: summaries[i] })),
  );
  const job = await session.runToEnd(
    'the runs again: do they depend on their input?',
    planned.map(({ spec }) => spec),
    'max',
  );
  const runs = job.runs.map(({ run }) => run);
  try {
    if (job.state !== 'done')
      throw new RunFailure(job.error ?? { code: 'failed', message: 'the input checks were stopped' });
    const checks: InputCheck[] = [];
    for (const [i, { variant, check, first }] of planned.entries()) {
      const run = runs[i];
      if (run === undefined || first === undefined) continue;
      const again = await summaryOf(session, run);
      checks.push(judgedInputCheck(variant, check, summaryFigures(first), summaryFigures(again)));
    }
    return checks;
  } finally {
    await session.request('runs.delete', { runs });
  }
}

export const inputCheckLines = (checks: readonly InputCheck[]): string[] =>
  checks.map(
    ({ variant, check, status, detail }) => `input check: ${variant}: ${check}: ${status} (${detail})`,
  );
