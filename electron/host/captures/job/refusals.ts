import { CaptureError } from '../captureError.ts';

/** The refusals of the tools, recognised in their output, and the remedy of each. */
interface Refusal {
  readonly pattern: RegExp;
  readonly code: CaptureError['code'];
  readonly message: string;
  readonly hint: string;
}

const refusals: readonly Refusal[] = [
  {
    pattern: /ERR_NVGPUCTRPERM|permission to access NVIDIA GPU Performance Counters/i,
    code: 'missing',
    message: 'the driver allows GPU performance counters to administrators only (ERR_NVGPUCTRPERM)',
    hint:
      'run Dyno as root, or allow every user: put "options nvidia NVreg_RestrictProfilingToAdminUsers=0" into ' +
      '/etc/modprobe.d/nvidia-profiling.conf and reload the driver (reboot); in a container start it with --cap-add=SYS_ADMIN. ' +
      'Without counters, an nsys capture still gives the kernel timeline',
  },
  {
    pattern:
      /driver resource was unavailable|ERR_NVGPUCTRBUSY|another (tool|profiler|process).*(profil|collect)/i,
    code: 'failed',
    message: 'another program holds the GPU’s performance counters',
    hint: 'one client per GPU: stop the other profiler, or pause DCGM with "dcgmi profile --pause", then capture again',
  },
  {
    pattern: /profiling is not supported (on|under|with).*(MPS|vGPU|MIG)|MPS (client|server).*not supported/i,
    code: 'missing',
    message: 'this GPU is shared in a way that cannot be profiled (MPS, vGPU or MIG)',
    hint: 'stop the MPS daemon or use a whole GPU',
  },
  {
    pattern: /No kernels were profiled/i,
    code: 'failed',
    message: 'no kernel was profiled',
    hint: 'the kernel filter or NVTX range matched none, or the run ended before a launch: widen the filter, or lower the skip count',
  },
  {
    pattern: /unrecogni[sz]ed (option|argument|command)|invalid option|unknown option/i,
    code: 'failed',
    message: 'this version of the tool does not know one of the options',
    hint: 'the log names it; a newer version of the tool is needed, or a smaller profile',
  },
  {
    pattern: /(Failed to find metric|metric.* not (found|available|supported))/i,
    code: 'failed',
    message: 'a metric does not exist on this chip',
    hint: 'the log names it; use the profile minimal, or deep_dive, which leaves the choice to ncu',
  },
  {
    pattern: /No space left on device/i,
    code: 'failed',
    message: 'the disk is full',
    hint: 'free space in the runs folder; the partial report is kept',
  },
];

/** The first refusal in a tool's output. */
export function recogniseRefusal(output: string): CaptureError | undefined {
  for (const refusal of refusals) {
    const line = output.split('\n').find((one) => refusal.pattern.test(one));
    if (line !== undefined) {
      return new CaptureError(refusal.code, refusal.message, {
        hint: refusal.hint,
        detail: line.trim().slice(0, 500),
      });
    }
  }
  return undefined;
}

/** `RmProfilingAdminOnly: 1` in the driver's parameters: counters are refused unless root. Undefined = cannot tell. */
export function countersRestricted(driverParameters: string): boolean | undefined {
  const found = /^RmProfilingAdminOnly:\s*(\d)/m.exec(driverParameters)?.[1];
  return found === undefined ? undefined : found === '1';
}
