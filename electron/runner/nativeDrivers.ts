import { type DriverLibraries, type Native, type NoNative, openNative } from '../../native/index.ts';

/** Driver libraries in the place of the system's: for a machine that keeps them elsewhere, and for tests with fakes. */
export function driverLibraries(environment: NodeJS.ProcessEnv = process.env): DriverLibraries {
  const { DYNO_NVML: nvml, DYNO_CUDA: cuda, DYNO_CUBLASLT: cublasLt } = environment;
  return {
    ...(nvml === undefined ? {} : { nvml }),
    ...(cuda === undefined ? {} : { cuda }),
    ...(cublasLt === undefined ? {} : { cublasLt }),
  };
}

/** The addon with the drivers of this process's environment. */
export const openDrivers = (folder: string): Native | NoNative =>
  openNative(folder, { libraries: driverLibraries() });
