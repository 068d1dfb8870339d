import {
  type Answer,
  type GpuList,
  type GpuMetrics,
  type Native,
  type NativeStatus,
  type NoNative,
  openNative,
} from '../../../../native/index.ts';
import type { Machine } from './machine.ts';

/** The native addon's answers about the GPUs. Each is independent: a driver that hangs delays only its own answer. */
export interface GpuProbe {
  readonly native: Native | NoNative;
  /** Libraries and kernel files; touches no driver. */
  readonly status: Promise<Answer<NativeStatus>>;
  readonly list: Promise<Answer<GpuList>>;
  readonly metrics: Promise<Answer<readonly GpuMetrics[]>>;
}

/** GPM serves one client at a time: a caller that needs no metrics leaves GPM to the sampler of this or another process. */
export function probeGpus(machine: Machine, { asksMetrics = true } = {}): GpuProbe {
  const native = openNative(machine.nativeFolder, {
    ...(machine.libraries === undefined ? {} : { libraries: machine.libraries }),
    sysfs: machine.sysfs,
    procfs: machine.procfs,
  });
  if (!native.available) {
    const refusal = refused(native);
    return {
      native,
      status: Promise.resolve(refusal),
      list: Promise.resolve(refusal),
      metrics: Promise.resolve(refusal),
    };
  }
  const opened = native.openTelemetry();
  const list = opened.then((telemetry) => (telemetry.ok ? telemetry.value.list() : telemetry));
  // One after the other: the driver serves one caller at a time anyway, and the list is wanted first.
  const metrics = opened.then(async (telemetry) => {
    if (!telemetry.ok) return telemetry;
    await list;
    if (!asksMetrics) return { ok: true as const, value: [] };
    return telemetry.value.describe();
  });
  closeAfter(opened, [list, metrics]);
  return { native, status: native.status(), list, metrics };
}

/** `libnvidia-ml.so.1 was not found`, where the loader says that three times over. */
export const plainly = (message: string): string =>
  message
    .replace(
      /^(\S+) could not be opened: \1: cannot open shared object file: No such file or directory/,
      '$1 was not found',
    )
    .replace(/\.$/, '');

function closeAfter(opened: ReturnType<Native['openTelemetry']>, uses: readonly Promise<unknown>[]): void {
  Promise.allSettled(uses)
    .then(() => opened)
    .then((telemetry) => (telemetry.ok ? telemetry.value.close() : undefined))
    // A driver that could not be opened has told the doctor so; there is nothing to close.
    .catch(() => undefined);
}

const refused = ({
  reason,
  hint,
}: NoNative): { ok: false; error: { code: string; message: string; hint: string } } => ({
  ok: false,
  error: { code: 'NO_NATIVE', message: reason, hint },
});
