import {
  type DriverLibraries,
  type Native,
  type NoNative,
  openNative,
  type SamplingOptions,
} from '../../native/index.ts';

/** Driver libraries in the place of the system's: for a machine that keeps them elsewhere, and for tests with fakes. */
export function driverLibraries(environment: NodeJS.ProcessEnv = process.env): DriverLibraries {
  const { DYNO_NVML: nvml, DYNO_CUDA: cuda, DYNO_CUBLASLT: cublasLt, DYNO_CUPTI: cupti } = environment;
  return {
    ...(nvml === undefined ? {} : { nvml }),
    ...(cuda === undefined ? {} : { cuda }),
    ...(cublasLt === undefined ? {} : { cublasLt }),
    ...(cupti === undefined ? {} : { cupti }),
  };
}

/** Milliseconds between readings where DYNO_TELEMETRY_MS asks for others than the driver's own: benchmarks do. */
export function telemetryPeriods(environment: NodeJS.ProcessEnv = process.env): SamplingOptions['periodsMs'] {
  const ms = Number(environment['DYNO_TELEMETRY_MS']);
  return ms > 0 ? { nvml: ms, gpm: Math.max(110, ms), slow: ms } : {};
}

/** The addon with the drivers of this process's environment. */
export const openDrivers = (folder: string): Native | NoNative =>
  openNative(folder, { libraries: driverLibraries() });
