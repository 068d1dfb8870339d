import type { KernelDevice, PreparedKernels } from '../../workloads/cuda/device.ts';
import type { KernelSpec } from '../../workloads/cuda/kernelSpec.ts';
import { type KernelSummary, kernelSummary } from '../../workloads/cuda/kernelSummary.ts';
import { type EventSink, samplesTable } from '../../workloads/harness/tables.ts';
import { SpanWriter, writeIteration } from './kernelRows.ts';

export interface KernelRunHooks {
  readonly isCancelled: () => boolean;
  /** Nanoseconds since the run's start. */
  readonly clockNs: () => number;
  /** Between iterations: control messages and pipes get their turn. */
  readonly breathe: () => Promise<void>;
}

type Times = ReadonlyMap<string, number[]>;

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
  const spans = new SpanWriter(sink, hooks.clockNs);
  const kernels = await spans.span('prepare', () =>
    device.prepare(spec.target, spec.variants, { ...spec.parameters, seed: spec.seed }),
  );
  try {
    const times: Times = new Map(spec.variants.map((variant) => [variant, [] as number[]] as const));
    const rounds = { spec, device, kernels, sink, hooks, times };
    if (spec.warm_up > 0) await spans.span('warm-up', () => runRounds(rounds, 0, spec.warm_up));
    if (!hooks.isCancelled())
      await spans.span('measure', () => runRounds(rounds, spec.warm_up, spec.warm_up + spec.iterations));
    const isCancelled = hooks.isCancelled();
    if (!isCancelled) sink.log('info', 'verifying every output against its reference');
    const measured = [];
    for (const id of spec.variants)
      measured.push({
        id,
        milliseconds: times.get(id) ?? [],
        work: kernels.work(id),
        verification: isCancelled ? [] : await spans.span('verify', () => kernels.verify(id), id),
      });
    return {
      status: isCancelled ? 'cancelled' : 'done',
      summary: kernelSummary(spec, device, measured, kernels.findings?.()),
    };
  } finally {
    kernels.free();
  }
}

async function runRounds(
  {
    spec,
    device,
    kernels,
    sink,
    hooks,
    times,
  }: {
    readonly spec: KernelSpec;
    readonly device: KernelDevice;
    readonly kernels: PreparedKernels;
    readonly sink: EventSink;
    readonly hooks: KernelRunHooks;
    readonly times: Times;
  },
  from: number,
  to: number,
): Promise<void> {
  const { warm_up: warmUp } = spec;
  for (let round = from; round < to && !hooks.isCancelled(); round++) {
    for (const variant of spec.variants) {
      const startNs = hooks.clockNs();
      const milliseconds = kernels.iterate(variant);
      const isWarmUp = round < warmUp;
      writeIteration(sink, {
        round: isWarmUp ? undefined : round - warmUp,
        variant,
        device: device.index,
        startNs,
        milliseconds,
        work: kernels.work(variant),
      });
      if (isWarmUp) continue;
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
    sink.progress(round + 1, warmUp + spec.iterations, hooks.clockNs());
    await hooks.breathe();
  }
}
