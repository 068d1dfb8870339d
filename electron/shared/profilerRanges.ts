import { nativeFolder, openNative } from '../../native/index.ts';
import type { RangeMarks } from './intervalMarks.ts';

/** Set by a capture (`captures/runnerCommand.ts`) when a profiler records NVTX ranges. */
export const rangesVariable = 'DYNO_NVTX';

export type InRange = <T>(name: string, body: () => T) => T;

const plain: InRange = (_name, body) => body();

/**
 * Names the run's phases in a profiler's timeline. Outside a capture it is a plain call: the addon is not even looked for.
 * Under one, without the addon, the capture goes on without ranges.
 */
export function profilerRanges(environment: NodeJS.ProcessEnv = process.env): InRange {
  if (environment[rangesVariable] !== '1') return plain;
  const native = openNative(nativeFolder(import.meta.url));
  return native.available ? (name, body) => native.inRange(name, body) : plain;
}

/** The same for a stretch that begins and ends in different calls: the interval of a capture. */
export function profilerMarks(environment: NodeJS.ProcessEnv = process.env): RangeMarks {
  const none = { push: () => undefined, pop: () => undefined };
  if (environment[rangesVariable] !== '1') return none;
  const native = openNative(nativeFolder(import.meta.url));
  return native.available ? { push: (name) => native.pushRange(name), pop: () => native.popRange() } : none;
}
