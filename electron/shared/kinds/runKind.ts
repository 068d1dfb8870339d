import type { z } from 'zod';
import { type AnySpec, isKernelSpec, type KernelSpec } from '../../../workloads/kernels/kernelSpec.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { RunSpec } from '../../../workloads/run/spec.ts';
import type { RunInfo } from '../../contract/protocol.ts';
import type { RunKindId } from '../../contract/runKind.ts';

/** The parts of a summary that lists show. */
export type Headline = Pick<RunInfo, 'headline' | 'requests' | 'kernel'>;

/** A kind of run: what host, runner and command line ask of a spec or a summary without knowing which kind it is. */
export interface RunKind<Spec extends AnySpec> {
  readonly id: RunKindId;
  /** The phrase of messages for such a run: `measured kernels`. */
  readonly did: string;
  readonly schema: z.ZodType<Spec>;
  /**
   * A runner that is still there this long after a cancel is killed, ms. A run that served requests keeps its rows, and its summary is
   * made from them; what was measured of kernels is only in the runner's own summary, so those runs get longer.
   */
  readonly graceMs: number;
  /** Makes the models that the spec describes known by their names. */
  declare(spec: Spec): void;
  /** The spec as it is run: operator tables that it names are read and written into it. Throws InputError. */
  pinned(spec: Spec): Spec;
  /** Its variants in one line. */
  variants(spec: Spec): string;
  /** Whether a device or a server serves it, whose remarks are worth a line on the terminal. */
  hasRemarks(spec: Spec): boolean;
  /** The words after `dyno` that repeat the run. */
  runWords(spec: Spec): readonly string[];
  /** The words of a capture that choose the variant and its settings. */
  captureWords(spec: Spec): readonly string[];
  /** The words of one command that makes both runs; undefined where there is none. */
  pairWords(a: Spec, b: Spec): readonly string[] | undefined;
  /** The parts of summary.json that lists show. Throws InputError where a part of it is not what it should be. */
  headline(summary: object): Headline;
}

/** One answer per kind. This, and nothing else, looks at what tells the kinds apart. */
export interface ByKind<T> {
  readonly serving: (spec: RunSpec) => T;
  readonly kernels: (spec: KernelSpec) => T;
}

export function matchKind<T>(spec: AnySpec, answers: ByKind<T>): T {
  return isKernelSpec(spec) ? answers.kernels(spec) : answers.serving(spec);
}

/** The same for two specs; undefined where their kinds differ. */
export function matchPair<T>(
  a: AnySpec,
  b: AnySpec,
  answers: {
    readonly serving: (a: RunSpec, b: RunSpec) => T;
    readonly kernels: (a: KernelSpec, b: KernelSpec) => T;
  },
): T | undefined {
  return matchKind<T | undefined>(a, {
    serving: (left) =>
      matchKind<T | undefined>(b, {
        serving: (right) => answers.serving(left, right),
        kernels: () => undefined,
      }),
    kernels: (left) =>
      matchKind<T | undefined>(b, {
        serving: () => undefined,
        kernels: (right) => answers.kernels(left, right),
      }),
  });
}

/** The spec of a run that served requests; throws InputError that begins with `where`. */
export const requireServing = (spec: AnySpec, where: string): RunSpec =>
  matchKind(spec, {
    serving: (own) => own,
    kernels: () => {
      throw new InputError(`${where}: it measured kernels, expected a run that served requests`);
    },
  });
