import { findKernelTarget } from '../../../workloads/catalog/kernelTargets.ts';
import { findPublished } from '../../../workloads/catalog/publishedNames.ts';
import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import type { EngineId } from '../../../workloads/run/spec.ts';
import { matchKind } from '../../shared/kinds/runKind.ts';
import type { CliKind, TargetCommands } from './cliKind.ts';
import { kernelCommands, kernels } from './kernels.ts';
import { serving, servingCommands } from './serving.ts';

/**
 * The commands of a target by its id; without one, of a saved spec. An unknown id is refused by the command. A published name may be a
 * kernel target and a serving lesson as well (`ch15:continuous_batching`): on engine cuda it is the kernels.
 */
export function commandsOf(id: string | undefined, engine: EngineId = 'cuda'): TargetCommands {
  const isServing = id !== undefined && engine !== 'cuda' && findPublished(id) !== undefined;
  const kernelTarget = id === undefined || isServing ? undefined : findKernelTarget(id);
  return kernelTarget === undefined ? servingCommands(id) : kernelCommands(kernelTarget);
}

/** Answers with what the command line says of runs of this spec's kind: the registry of kinds in the command line. */
export const withCliKind = <T>(
  spec: AnySpec,
  answer: <Spec extends AnySpec>(kind: CliKind<Spec>, own: Spec) => T,
): T =>
  matchKind(spec, {
    serving: (own) => answer(serving, own),
    kernels: (own) => answer(kernels, own),
  });
