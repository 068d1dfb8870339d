// One workload with its variants prepared, run one iteration at a time: for a runner that tells its progress between iterations and
// can be stopped there.
import {
  type CudaWorkload,
  type Verification,
  verify,
  type Work,
  type WorkloadEnvironment,
} from './workload.ts';

export interface WorkloadSession {
  /** Runs one iteration to its end; milliseconds between CUDA events around it. Blocks. */
  iterate(variant: string): number;
  work(variant: string): Work;
  /** The outputs of the variant's last iteration against the float64 reference, over all elements. */
  verify(variant: string): readonly Verification[];
  free(): void;
}

export function openWorkload<Parameters, Inputs>(
  environment: WorkloadEnvironment,
  workload: CudaWorkload<Parameters, Inputs>,
  variants: readonly string[],
  given: Partial<Parameters> = {},
): WorkloadSession {
  const parameters = { ...workload.defaults, ...given };
  const inputs = workload.inputs(parameters);
  const start = environment.context.event();
  const end = environment.context.event();
  const prepared = new Map(
    variants.map((variant) => [variant, workload.prepare(environment, variant, parameters, inputs)] as const),
  );
  const of = (variant: string) => {
    const found = prepared.get(variant);
    if (found === undefined) throw new RangeError(`${workload.id}: variant ${variant} was not prepared`);
    return found;
  };
  let reference: ReturnType<typeof workload.reference> | undefined;
  return {
    iterate(variant) {
      const { stream, iterate } = of(variant);
      stream.record(start);
      iterate();
      stream.record(end);
      stream.synchronizeNow();
      return end.millisecondsSince(start);
    },
    work: (variant) => of(variant).work,
    verify(variant) {
      reference ??= workload.reference(environment, parameters, inputs);
      return verify(of(variant).outputs(), reference, workload.tolerance);
    },
    free() {
      for (const each of prepared.values()) each.free();
      start.free();
      end.free();
    },
  };
}
