import type { Gpu, LibraryStatus } from '../../../../native/index.ts';
import { formatMetric } from '../../../../workloads/metrics/format.ts';
import { type Check, type Finding, limited, missing, ok } from './finding.ts';
import { type GpuProbe, plainly } from './gpuProbe.ts';
import { type Machine, mayReadCounters, readSmall } from './machine.ts';

/** `options nvidia …` is the documented way to open the counters to everybody; it takes a reload of the module. */
export const openCountersLine =
  "echo 'options nvidia NVreg_RestrictProfilingToAdminUsers=0' | sudo tee /etc/modprobe.d/nvidia-profiling.conf && sudo update-initramfs -u && sudo reboot";

export function gpuChecks(machine: Machine, probe: GpuProbe): readonly Check[] {
  return [
    {
      id: 'native_addon',
      title: 'Native addon',
      neededFor: 'GPU telemetry and the cuda engine; the simulator and the http engine do without',
      look: () => nativeAddon(probe),
    },
    {
      id: 'nvidia_driver',
      title: 'NVIDIA driver',
      neededFor: 'everything on a GPU; the simulator needs none',
      look: () => driver(machine, probe),
    },
    {
      id: 'gpus',
      title: 'GPUs',
      neededFor: 'the cuda engine, measured rooflines and live lanes',
      look: () => gpus(probe),
    },
    {
      id: 'gpm',
      title: 'GPU performance monitoring (GPM)',
      neededFor:
        'live SM, tensor and DRAM utilisation; without it only the driver’s coarse figures are shown',
      look: () => gpm(probe),
    },
    {
      id: 'gpu_counters',
      title: 'GPU performance counters',
      neededFor: 'Nsight Compute captures and high-resolution sampling',
      look: () => Promise.resolve(counters(machine)),
    },
    library(
      probe,
      'cublasLt',
      'cuBLASLt',
      'GEMM ceilings and the cuda engine’s GEMMs',
      (v) => `libcublas-${v}`,
    ),
    library(
      probe,
      'cupti',
      'CUPTI',
      'kernel timelines and counters without Nsight',
      (v) => `cuda-cupti-${v}`,
    ),
    library(probe, 'nccl', 'NCCL', 'workloads that span several GPUs', () => 'libnccl2'),
  ];
}

async function nativeAddon({ native, status }: GpuProbe): Promise<Finding> {
  if (!native.available) return missing(native.reason, native.hint);
  const answer = await status;
  if (!answer.ok) return limited(answer.error.message, answer.error.hint);
  const { kernels, kernelSources, nvrtc, nvtx } = answer.value;
  if (kernels.length === 0 && nvrtc.available && kernelSources.length > 0)
    return ok(`loaded from ${native.folder}; its kernels are compiled at their first use by ${nvrtc.path}`);
  if (kernels.length === 0) {
    return limited(
      `loaded from ${native.folder}, without CUDA kernels`,
      'Build them where nvcc of CUDA 12 or newer is on PATH (`node native/build.mjs`), or install libnvrtc: then they are compiled at their first use.',
    );
  }
  return ok(`loaded from ${native.folder}; ${kernels.length} kernel files${nvtx ? ', NVTX' : ''}`);
}

async function driver(machine: Machine, probe: GpuProbe): Promise<Finding> {
  const answer = await probe.list;
  if (answer.ok) {
    const { driver: version, cuda, nvml } = answer.value;
    return ok(
      [
        version === undefined ? 'loaded' : `driver ${version}`,
        cuda !== undefined && `CUDA up to ${cuda}`,
        nvml !== undefined && `NVML ${nvml}`,
      ]
        .filter((part) => part !== false)
        .join(', '),
    );
  }
  const module = /Kernel Module\s+(?:for \S+\s+)?([\d.]+)/.exec(
    readSmall(machine.procfs, 'driver/nvidia/version') ?? '',
  );
  if (module !== null) {
    return limited(
      `kernel module ${module[1]} is loaded, but: ${plainly(answer.error.message)}`,
      answer.error.hint,
    );
  }
  return missing(plainly(answer.error.message), answer.error.hint);
}

async function gpus(probe: GpuProbe): Promise<Finding> {
  const answer = await probe.list;
  if (!answer.ok) return missing('none: no driver to ask', 'Everything runs on the simulator meanwhile.');
  const found = answer.value.gpus;
  if (found.length === 0) {
    return missing(
      'the driver lists no GPU',
      'In a container start it with `--gpus all`; on the machine itself look at `sudo dmesg | grep -i nvrm`.',
    );
  }
  const shut = found.filter((gpu) => gpu.refused !== undefined);
  const text = grouped(found.filter((gpu) => gpu.refused === undefined));
  if (shut.length === 0) return ok(text);
  const reasons = shut.map((gpu) => `GPU ${gpu.index}: ${gpu.refused}`).join('; ');
  return limited(
    text === '' ? reasons : `${text}; not usable: ${reasons}`,
    'Give this user access to /dev/nvidia*.',
  );
}

/** `2 × NVIDIA H200 (141 GB, compute capability 9.0)` */
function grouped(found: readonly Gpu[]): string {
  const counts = new Map<string, number>();
  for (const gpu of found) {
    const details = [
      gpu.memoryBytes !== undefined && formatMetric('memory_used_bytes', gpu.memoryBytes),
      gpu.computeCapability !== undefined && `compute capability ${gpu.computeCapability}`,
      gpu.mig === true && migWords(gpu),
    ].filter((part) => part !== false);
    const text = `${gpu.name ?? 'unnamed GPU'}${details.length === 0 ? '' : ` (${details.join(', ')})`}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([text, n]) => (n === 1 ? text : `${n} × ${text}`)).join('; ');
}

/** `MIG on: 2 × NVIDIA H200 MIG 1g.18gb (18 GB)` */
function migWords({ instances = [] }: Gpu): string {
  if (instances.length === 0) return 'MIG on, without an instance: nothing can run on it';
  return `MIG on: ${grouped(instances.map(({ name, memoryBytes }, index) => ({ index, ...(name === undefined ? {} : { name }), ...(memoryBytes === undefined ? {} : { memoryBytes }) })))}`;
}

async function gpm(probe: GpuProbe): Promise<Finding> {
  const answer = await probe.metrics;
  if (!answer.ok) return missing('no driver to ask');
  const found = answer.value;
  if (found.length === 0) return missing('no GPU');
  const withGpm = found.filter((gpu) => gpu.metrics.some((m) => m.source === 'gpm'));
  const first = found.find((gpu) => gpu.gpm !== undefined)?.gpm;
  const remedy = first?.hint ?? 'GPM comes with Hopper and newer.';
  if (withGpm.length === 0) return missing(first?.message ?? 'no GPU offers it', remedy);
  const n = withGpm[0]?.metrics.filter((m) => m.source === 'gpm').length ?? 0;
  const text = `${n} metrics on ${withGpm.length} of ${found.length} GPU${found.length === 1 ? '' : 's'}`;
  return withGpm.length === found.length ? ok(text) : limited(text, remedy);
}

/** `RmProfilingAdminOnly` in the kernel module's parameters says whether reading counters needs administrator rights. */
export function counters({ procfs }: Pick<Machine, 'procfs'>): Finding {
  const parameters = readSmall(procfs, 'driver/nvidia/params');
  if (parameters === undefined) return missing('no NVIDIA kernel module is loaded');
  const adminOnly = /^RmProfilingAdminOnly:\s*(\d)/m.exec(parameters)?.[1];
  if (adminOnly === '0') return ok('open to every user');
  const text =
    adminOnly === '1'
      ? 'for administrators only (RmProfilingAdminOnly: 1)'
      : 'the driver does not say which users may read them';
  if (mayReadCounters(procfs)) return ok(`${text}, and this process is one`);
  return limited(
    `${text}, and this process is none`,
    `Run Dyno as root (in a container: --cap-add=SYS_ADMIN), or open them to all: \`${openCountersLine}\``,
  );
}

function library(
  probe: GpuProbe,
  id: 'cublasLt' | 'cupti' | 'nccl',
  title: string,
  neededFor: string,
  packageOf: (cuda: string) => string,
): Check {
  return {
    id: id.toLowerCase(),
    title,
    neededFor,
    look: async () => {
      const answer = await probe.status;
      if (!answer.ok) return missing('not looked for: the native addon is missing');
      const status: LibraryStatus = answer.value[id];
      if (status.available) return ok(status.path);
      // The package has the CUDA version that the driver serves; without a driver the library is of no use.
      const list = await probe.list;
      if (!list.ok) return missing(`${plainly(status.reason)}; no driver either`);
      const cuda = (list.value.cuda ?? '13.0').replace('.', '-');
      return missing(
        plainly(status.reason),
        `With NVIDIA’s package repository: \`sudo apt-get install ${packageOf(cuda)}\``,
      );
    },
  };
}
