import type { ActivityRows, Answer } from '../../native/index.ts';
import type { KernelDevice, PreparedKernels } from '../../workloads/kernels/device.ts';
import { type KernelSpec, recordsKernels } from '../../workloads/kernels/kernelSpec.ts';
import { type KernelSummary, kernelSummary } from '../../workloads/kernels/kernelSummary.ts';
import type { CounterMode } from '../../workloads/kernels/recording.ts';
import { medianInterval } from '../../workloads/metrics/interval.ts';
import { type EventSink, samplesTable } from '../../workloads/run/tables.ts';
import type { IntervalMarks } from '../shared/intervalMarks.ts';
import type { InRange } from '../shared/profilerRanges.ts';
import { SpanWriter, writeIteration } from './kernelRows.ts';
import { joined, type KernelRecorder, type Moment, since, writeActivity } from './kernelTrace.ts';
import { countVariants, type KernelCounting, launchNames, recordingSummary } from './recordKernels.ts';

export interface KernelRunHooks {
  readonly isCancelled: () => boolean;
  /** Nanoseconds since the run's start. */
  readonly clockNs: () => number;
  /** Between iterations: control messages and pipes get their turn. */
  readonly breathe: () => Promise<void>;
  /** Records what the spec's `record` asks for; running already, paused. */
  readonly recorder?: KernelRecorder;
  /** Opens hardware counters; no recorder may run beside them. */
  readonly openCounters?: (mode: CounterMode) => Answer<KernelCounting>;
  /** Names a stretch in a profiler's timeline. */
  readonly inRange?: InRange;
  /** Where a capture of some rounds begins and ends. */
  readonly marks?: IntervalMarks;
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
    const recorded = isCancelled ? {} : recordMore(rounds);
    if (!isCancelled) sink.log('info', 'verifying every output against its reference');
    const measured = [];
    for (const id of spec.variants)
      measured.push({
        id,
        milliseconds: times.get(id) ?? [],
        work: kernels.work(id),
        verification: isCancelled ? [] : await spans.span('verify', () => kernels.verify(id), id),
      });
    const summary = kernelSummary(spec, device, measured, kernels.findings?.(spec.warm_up));
    return {
      status: isCancelled ? 'cancelled' : 'done',
      summary: summary === undefined ? undefined : { ...summary, ...recorded },
    };
  } finally {
    hooks.marks?.end();
    kernels.free();
  }
}

interface Rounds {
  readonly spec: KernelSpec;
  readonly device: KernelDevice;
  readonly kernels: PreparedKernels;
  readonly sink: EventSink;
  readonly hooks: KernelRunHooks;
  readonly times: Times;
}

/** After the measured rounds: what recording cost, and the counters. Counters take the recorder's place. */
function recordMore({
  spec,
  kernels,
  sink,
  hooks,
  times,
}: Rounds): Pick<KernelSummary, 'recording' | 'counters' | 'counters_refused'> {
  const { recorder } = hooks;
  if (recorder === undefined) return {};
  const recording = recordsKernels(spec)
    ? { recording: recordingSummary(recorder, kernels, spec.variants, spec.seed) }
    : {};
  const mode = spec.record?.counters;
  if (mode === undefined) return recording;
  const launches = launchNames(recorder, kernels, spec.variants);
  recorder.stop();
  sink.log(
    'info',
    'counting one iteration of each variant: it runs several times, and its times do not count',
  );
  const opened = hooks.openCounters?.(mode);
  if (opened === undefined) return recording;
  if (!opened.ok) {
    const { message, hint } = opened.error;
    sink.log('warning', `no hardware counters: ${message} ${hint}`);
    return { ...recording, counters_refused: { message, hint } };
  }
  const counting = opened.value;
  try {
    const counters = countVariants(counting, {
      variants: spec.variants,
      mode,
      kernels,
      launches,
      medians: new Map(
        [...times].map(([variant, ms]) => [variant, medianInterval(ms, spec.seed)?.median ?? 0]),
      ),
      nowMs: () => hooks.clockNs() / 1e6,
    });
    return { ...recording, counters };
  } finally {
    counting.close();
  }
}

async function runRounds(
  { spec, device, kernels, sink, hooks, times }: Rounds,
  from: number,
  to: number,
): Promise<void> {
  const { warm_up: warmUp } = spec;
  const { inRange = (_name, body) => body() } = hooks;
  const recorder = recordsKernels(spec) ? hooks.recorder : undefined;
  const moments: Moment[] = [];
  const takes: ActivityRows[] = [];
  recorder?.record(true);
  for (let round = from; round < to && !hooks.isCancelled(); round++) {
    if (round >= warmUp) hooks.marks?.beforeRound(round - warmUp);
    for (const variant of spec.variants) {
      const startNs = hooks.clockNs();
      const milliseconds = inRange(variant, () => kernels.iterate(variant));
      const isWarmUp = round < warmUp;
      if (recorder !== undefined && !isWarmUp) {
        moments.push({ round: round - warmUp, variant, startNs, endNs: hooks.clockNs() });
        takes.push(recorder.take({ flush: false }));
      }
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
    if (round >= warmUp) hooks.marks?.afterRound(round - warmUp);
    sink.progress(round + 1, warmUp + spec.iterations, hooks.clockNs());
    await hooks.breathe();
  }
  if (recorder !== undefined && moments.length > 0)
    writeActivity(sink, since(joined([...takes, recorder.take()]), moments[0]?.startNs ?? 0), moments);
}
