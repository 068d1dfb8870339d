import type { Target } from '../../../workloads/catalog/target.ts';
import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import type { EngineId } from '../../../workloads/run/spec.ts';
import type { Comparison } from '../../contract/protocol.ts';
import type { ManifestOf } from '../../host/store/manifest.ts';
import type { BenchOptions } from '../benchOptions.ts';
import type { Session } from '../session.ts';
import type { SpecOptions } from '../specOptions.ts';
import type { Terminal } from '../terminal.ts';

/** A target as `dyno list` shows it. */
export type ListedTarget = Omit<Target, 'spec'> & { readonly engines: readonly EngineId[] };

/** What commands do with one target. */
export interface TargetCommands {
  /** Throws InputError where there is no such target. */
  target(): ListedTarget;
  /** `dyno run`: one variant. */
  run(options: BenchOptions, isGiven: IsGiven, terminal: Terminal): Promise<number>;
  /** `dyno bench`: variants against each other. */
  bench(options: BenchOptions, isGiven: IsGiven, terminal: Terminal): Promise<number>;
  /** The run that `dyno capture` wraps. Throws InputError. */
  captured(options: SpecOptions, isGiven: IsGiven): { readonly spec: AnySpec; readonly title: string };
}

/** Whether an option was written on the command line, rather than left at its default. */
export type IsGiven = (option: string) => boolean;

/** What the command line says of finished runs, by their kind. */
export interface CliKind<Spec extends AnySpec> {
  /** What `dyno compare` prints for two runs (or one, given twice). */
  compared(session: Session, a: string, b: string, found: Comparison, terminal: Terminal): Promise<string>;
  /** What `dyno open` prints for a finished bundle. */
  opened(folder: string, manifest: ManifestOf<Spec>, summary: object): string;
  /** `dyno roofline --run`. */
  roofline(folder: string, run: string, isJson: boolean, terminal: Terminal): Promise<number>;
}
