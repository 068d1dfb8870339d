import { nativeFolder, openNative } from '../../native/index.ts';

/** Set by a capture (`captures/runnerCommand.ts`): somebody records NVTX ranges. */
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
