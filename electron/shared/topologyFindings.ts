import type { Cuda, Native, ProbedLink, Topology } from '../../native/index.ts';
import type { ProbeFindings } from '../../workloads/kernels/topologyFindings.ts';
import { quantileOfSorted } from '../../workloads/metrics/percentile.ts';

/** NVML's view of the wiring; undefined where NVML is not here or does not answer: then less is known. */
export async function wiringOf(native: Native): Promise<Topology | undefined> {
  const opened = await native.openTelemetry();
  if (!opened.ok) return undefined;
  try {
    const answer = await opened.value.topology();
    return answer.ok ? answer.value : undefined;
  } finally {
    await opened.value.close();
  }
}

/** The probe's findings: CUDA's GPUs (tied to NVML's by their PCI address) and the median rate of each link. */
export function findingsOf(
  cuda: Cuda,
  wiring: Topology | undefined,
  links: readonly ProbedLink[],
  warmUp: number,
): ProbeFindings {
  const gpus = cuda.devices().map((device) => {
    const known = wiring?.gpus.find(({ pciAddress }) => pciAddress === device.pciAddress);
    return {
      index: device.index,
      name: device.name ?? `GPU ${device.index}`,
      pciAddress: device.pciAddress,
      ...(known?.numaNode === undefined ? {} : { numaNode: known.numaNode }),
      ...(known?.cpuAffinity === undefined ? {} : { cpuAffinity: known.cpuAffinity }),
      nvml: known?.index,
    };
  });
  const nvlinksBetween = (from: string, to: string): number | undefined => {
    const numberOf = (name: string) => gpus.find(({ index }) => name === `gpu ${index}`)?.nvml;
    const [a, b] = [numberOf(from), numberOf(to)];
    return a === undefined || b === undefined
      ? undefined
      : wiring?.pairs.find((pair) => pair.from === a && pair.to === b)?.nvlinks;
  };
  return {
    kind: 'topology',
    gpus: gpus.map(({ nvml: _, ...gpu }) => gpu),
    numaDistances: (wiring?.numa ?? []).map(({ node, distances }) => ({ node, distances: [...distances] })),
    links: links.map(({ from, to, variant, how, seconds, bytes }) => {
      const measured = Float64Array.from(seconds.slice(warmUp)).sort();
      const nvlinks = nvlinksBetween(from, to);
      return {
        from,
        to,
        variant,
        ...(measured.length === 0 ? {} : { bytesPerSecond: bytes / quantileOfSorted(measured, 0.5) }),
        how,
        ...(nvlinks === undefined ? {} : { nvlinks }),
      };
    }),
  };
}
