import { findTarget } from '../../../workloads/catalog/catalog.ts';
import { enginesOf } from '../../../workloads/catalog/enginesOf.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { RunSpec } from '../../../workloads/run/spec.ts';
import type { Summary } from '../../../workloads/run/summary.ts';
import { comparisonTable, summaryTable } from '../figures.ts';
import { showSimulated } from '../rooflinePoints.ts';
import { benchTarget, runTarget, summaryOf } from '../servingBench.ts';
import { differences } from '../specDifferences.ts';
import { specsOf, targetNamed } from '../specOptions.ts';
import type { CliKind, TargetCommands } from './cliKind.ts';

/** Targets that serve requests; without an id the spec file that the options name. */
export const servingCommands = (id: string | undefined): TargetCommands => ({
  target: () => {
    const target = targetNamed(id ?? '');
    return { ...target, engines: enginesOf(target) };
  },
  run: (options, _isGiven, terminal) => runTarget(id, options, terminal),
  bench: (options, _isGiven, terminal) => benchTarget(id, options, terminal),
  captured: (options) => {
    const [spec, ...more] = specsOf(id, options, ['optimized']);
    if (spec === undefined || more.length > 0)
      throw new InputError(`--variant ${options.variant ?? ''}: a capture takes one variant`);
    return { spec, title: `${findTarget(spec.target)?.title ?? spec.target} · ${spec.variant}` };
  },
});

/** Runs that served requests. */
export const serving: CliKind<RunSpec> = {
  compared: async (session, a, b, found, { paint }) => {
    const summaries = [await summaryOf(session, a), await summaryOf(session, b)] as const;
    const [left, right] = summaries;
    const names =
      left.variant === right.variant
        ? (['first', 'second'] as const)
        : ([left.variant, right.variant] as const);
    return [
      comparisonTable(names, summaries, found, paint),
      '',
      paint.bold(found.verdict),
      `verification: ${found.verification.status} (${found.verification.method})`,
      ...(found.verification.detail === undefined ? [] : [`  ${found.verification.detail}`]),
      ...found.warnings.map((warning) => `note: ${warning}`),
      ...differences(found),
    ].join('\n');
  },
  // The manifest says that the run served requests.
  opened: (_folder, { title, spec }, summary) =>
    `${title} · ${spec.variant} · engine ${spec.engine}\n\n${summaryTable(spec.variant, summary as Summary)}`,
  roofline: showSimulated,
};
