import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import { matchKind, matchPair } from '../../shared/kinds/runKind.ts';
import type { Manifest, ManifestOf } from '../store/manifest.ts';
import type { HostKind } from './hostKind.ts';
import { kernelRuns } from './kernelRuns.ts';
import { servingRuns } from './servingRuns.ts';

/** Answers with what the host does for runs of this spec's kind: the registry of kinds in the host. */
export const withHostKind = <T>(
  spec: AnySpec,
  answer: <Spec extends AnySpec>(kind: HostKind<Spec>, own: Spec) => T,
): T =>
  matchKind(spec, {
    serving: (own) => answer(servingRuns, own),
    kernels: (own) => answer(kernelRuns, own),
  });

/** The same for two specs; undefined where their kinds differ. */
export const withHostPair = <T>(
  a: AnySpec,
  b: AnySpec,
  answer: <Spec extends AnySpec>(kind: HostKind<Spec>, a: Spec, b: Spec) => T,
): T | undefined =>
  matchPair(a, b, {
    serving: (left, right) => answer(servingRuns, left, right),
    kernels: (left, right) => answer(kernelRuns, left, right),
  });

/** The manifest with its spec narrowed to one kind. */
export const manifestOf = <Spec extends AnySpec>(manifest: Manifest, spec: Spec): ManifestOf<Spec> => ({
  ...manifest,
  spec,
});
