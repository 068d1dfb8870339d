// Every measurement opens the addon the same way: the folder comes from DYNO_NATIVE, since a bundle may lie anywhere.
import { type Cuda, type Native, openNative, type Telemetry } from '../index.ts';

export function native(): Native {
  const opened = openNative(process.env['DYNO_NATIVE'] ?? 'native/build');
  if (opened.available) return opened;
  throw new Error(`${opened.reason} ${opened.hint}`);
}

export async function openCuda(addon: Native): Promise<Cuda> {
  const cuda = await addon.openCuda();
  if (cuda.ok) return cuda.value;
  throw new Error(`${cuda.error.message} ${cuda.error.hint}`);
}

export async function openTelemetry(addon: Native): Promise<Telemetry> {
  const telemetry = await addon.openTelemetry();
  if (telemetry.ok) return telemetry.value;
  throw new Error(`${telemetry.error.message} ${telemetry.error.hint}`);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
