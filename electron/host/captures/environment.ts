/**
 * The environment of a capture: an Nsight report stores every variable of the process that it was started from, and
 * people share reports. So only these go through, and what the caller adds by name.
 */
const passed = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'TMPDIR',
  'LD_LIBRARY_PATH',
  'CUDA_HOME',
  'CUDA_PATH',
  'CUDA_VISIBLE_DEVICES',
  'CUDA_DEVICE_ORDER',
  'CUDA_MPS_PIPE_DIRECTORY',
  'NVIDIA_VISIBLE_DEVICES',
  'NVIDIA_DRIVER_CAPABILITIES',
  'DYNO_DATA',
  // Paths of driver libraries.
  'DYNO_CUDA',
  'DYNO_CUBLASLT',
  'DYNO_CUPTI',
  'DYNO_NVML',
  'XDG_RUNTIME_DIR',
] as const;

export function captureEnvironment(
  from: Readonly<Record<string, string | undefined>>,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of passed) {
    const value = from[name];
    if (value !== undefined) out[name] = value;
  }
  return { ...out, ...more };
}
