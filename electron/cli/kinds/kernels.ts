import type { KernelTarget } from '../../../workloads/catalog/kernelTargets.ts';
import type { KernelSpec } from '../../../workloads/kernels/kernelSpec.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { benchKernels, kernelRatioTable } from '../kernelBench.ts';
import { showKernelRun } from '../rooflinePoints.ts';
import { differences } from '../specDifferences.ts';
import { parametersOf } from '../specOptions.ts';
import type { CliKind, TargetCommands } from './cliKind.ts';

/** Iterations of a captured kernel target where none are asked for: a profiler needs few. */
const capturedIterations = 3;

/** Targets that measure kernels. */
export const kernelCommands = (target: KernelTarget): TargetCommands => ({
  target: () => target,
  run: (options, isGiven, terminal) => benchKernels(target, options, isGiven, terminal, ['optimized']),
  bench: (options, isGiven, terminal) => benchKernels(target, options, isGiven, terminal),
  captured: (options, isGiven) => {
    if (isGiven('engine') && options.engine !== 'cuda')
      throw new InputError(`${target.id} does not run on engine ${options.engine}, expected one of cuda`);
    const variants = options.variant?.split(',').map((word) => word.trim()) ?? ['optimized'];
    const spec = target.spec({
      variants,
      parameters: { warm_up: 1, ...parametersOf(target, options.set ?? []) },
      seed: options.seed,
      iterations: options.iterations ?? capturedIterations,
      device: 0,
    });
    return { spec, title: `${target.title} · ${variants.join(', ')}` };
  },
});

/** Runs that measured kernels. */
export const kernels: CliKind<KernelSpec> = {
  compared: async (_session, a, b, comparison, { paint }) => {
    const isOneRun = a === b;
    return [
      kernelRatioTable(comparison, isOneRun ? ['baseline', 'optimized'] : ['first', 'second'], paint),
      '',
      paint.bold(comparison.verdict),
      `verification: ${comparison.verification.status} (${comparison.verification.method})`,
      ...comparison.warnings.map((warning) => `note: ${warning}`),
      ...(isOneRun ? [] : differences(comparison)),
      paint.faint(comparison.method),
    ].join('\n');
  },
  opened: (folder, { title, status }) =>
    `${title} · ${status}; its report: dyno report ${folder} -o report.html`,
  roofline: showKernelRun,
};
