// Runs the variants of one workload in turn (A B A B …) and verifies each of them.
import type { CudaContext } from '../cuda.ts';
import {
  type CudaWorkload,
  type Prepared,
  type Verification,
  verify,
  type Work,
  type WorkloadEnvironment,
} from './workload.ts';

export interface VariantResult {
  readonly variant: string;
  /** One per iteration, in the order in which they ran; CUDA events around the whole iteration. */
  readonly milliseconds: readonly number[];
  readonly verification: readonly Verification[];
  readonly work: Work;
}

export interface WorkloadResult {
  readonly id: string;
  readonly iterations: number;
  readonly warmUp: number;
  readonly verified: boolean;
  readonly variants: readonly VariantResult[];
}

export interface MeasureOptions<Parameters> {
  readonly iterations?: number;
  readonly warmUp?: number;
  readonly variants?: readonly string[];
  readonly parameters?: Partial<Parameters>;
}

function timeOnce(context: CudaContext, { stream, iterate }: Prepared): number {
  const start = context.event();
  const end = context.event();
  stream.record(start);
  iterate();
  stream.record(end);
  stream.synchronizeNow();
  const milliseconds = end.millisecondsSince(start);
  start.free();
  end.free();
  return milliseconds;
}

export function measureWorkload<Parameters, Inputs>(
  environment: WorkloadEnvironment,
  workload: CudaWorkload<Parameters, Inputs>,
  options: MeasureOptions<Parameters> = {},
): WorkloadResult {
  const { iterations = 10, warmUp = 3, variants = workload.variants } = options;
  const parameters = { ...workload.defaults, ...options.parameters };
  const inputs = workload.inputs(parameters);
  const reference = workload.reference(environment, parameters, inputs);
  const prepared = variants.map((variant) => ({
    variant,
    work: workload.prepare(environment, variant, parameters, inputs),
    times: [] as number[],
  }));
  try {
    for (let round = -warmUp; round < iterations; round++) {
      for (const each of prepared) {
        const milliseconds = timeOnce(environment.context, each.work);
        if (round >= 0) each.times.push(milliseconds);
      }
    }
    const results = prepared.map(({ variant, times, work }) => ({
      variant,
      milliseconds: times,
      verification: verify(work.outputs(), reference, workload.tolerance),
      work: work.work,
    }));
    const verified = results.every((result) => result.verification.every((each) => each.ok));
    return { id: workload.id, iterations, warmUp, verified, variants: results };
  } finally {
    for (const each of prepared) each.work.free();
  }
}
