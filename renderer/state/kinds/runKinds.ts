import type { RunKindId } from '../../../electron/contract/runKind.ts';
import type { KernelTarget } from '../../../workloads/catalog/kernelTargets.ts';
import type { Target } from '../../../workloads/catalog/target.ts';
import type { AnyTarget } from '../catalogue.ts';
import { kernels } from './kernels.ts';
import type { RunKind, TargetKind } from './runKind.ts';
import { serving } from './serving.ts';

/** The registry: every kind of run that the window knows. */
export const runKinds: Readonly<Record<RunKindId, RunKind>> = { serving, kernels };

export const kindOf = ({ kind }: { readonly kind: RunKindId }): RunKind => runKinds[kind];

/** One answer per kind of target. This, and nothing else in the window, looks at what tells targets apart. */
export const matchTarget = <R>(
  target: AnyTarget,
  answers: { readonly serving: (own: Target) => R; readonly kernels: (own: KernelTarget) => R },
): R => ('kind' in target ? answers.kernels(target) : answers.serving(target));

/** Answers with the kind that this target is of. */
export const withTarget = <R>(
  target: AnyTarget,
  answer: <T extends AnyTarget>(kind: TargetKind<T>, own: T) => R,
): R =>
  matchTarget(target, {
    serving: (own) => answer(serving, own),
    kernels: (own) => answer(kernels, own),
  });
