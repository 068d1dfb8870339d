import type { KernelDevice } from '../../workloads/cuda/device.ts';
import type { KernelSpec } from '../../workloads/cuda/kernelSpec.ts';
import { type KernelSummary, kernelSummary } from '../../workloads/cuda/kernelSummary.ts';
import { type EventSink, samplesTable } from '../../workloads/harness/tables.ts';

export interface KernelRunHooks {
  readonly isCancelled: () => boolean;
  /** Nanoseconds since the run's start. */
  readonly clockNs: () => number;
  /** Between iterations: control messages and pipes get their turn. */
  readonly breathe: () => Promise<void>;
}

/**
 * The variants in turn, A B A B …, so that what drifts (clocks, temperature) drifts for all of them; then each one's outputs
 * are verified. What was measured before a cancel is summarised.
 */
export async function runKernels(
  spec: KernelSpec,
  device: KernelDevice,
  sink: EventSink,
  hooks: KernelRunHooks,
): Promise<{ readonly status: 'done' | 'cancelled'; readonly summary: KernelSummary | undefined }> {
  const kernels = device.prepare(spec.target, spec.variants, { ...spec.parameters, seed: spec.seed });
  try {
    const times = new Map(spec.variants.map((variant) => [variant, [] as number[]] as const));
    const rounds = spec.warm_up + spec.iterations;
    let isCancelled = false;
    for (let round = 0; round < rounds && !isCancelled; round++) {
      for (const variant of spec.variants) {
        const milliseconds = kernels.iterate(variant);
        if (round < spec.warm_up) continue;
        times.get(variant)?.push(milliseconds);
        sink.batch({
          schema: samplesTable,
          rows: 1,
          data: [
            Int32Array.of(0),
            Float64Array.of(hooks.clockNs()),
            [`variant:${variant}`],
            ['workload_ms'],
            Float64Array.of(milliseconds),
          ],
        });
      }
      sink.progress(round + 1, rounds, hooks.clockNs());
      await hooks.breathe();
      isCancelled = hooks.isCancelled();
    }
    if (!isCancelled) sink.log('info', 'verifying every output against the float64 reference');
    const measured = spec.variants.map((id) => ({
      id,
      milliseconds: times.get(id) ?? [],
      work: kernels.work(id),
      verification: isCancelled ? [] : kernels.verify(id),
    }));
    return {
      status: isCancelled ? 'cancelled' : 'done',
      summary: kernelSummary(spec, device, measured),
    };
  } finally {
    kernels.free();
  }
}
