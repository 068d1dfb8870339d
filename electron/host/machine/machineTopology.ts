import type { GpuList, GpuPair, Topology } from '../../../native/index.ts';
import type { MachineTopology, TopologyLink } from '../../contract/topology.ts';
import { openDrivers } from '../../shared/nativeDrivers.ts';
import { RunFailure } from '../../shared/runFailure.ts';

const withoutCode = ({ message, hint }: { readonly message: string; readonly hint: string }) => ({
  message,
  hint,
});

/** Asks NVML. Throws RunFailure `missing` where there is none. */
export async function readTopology(
  folder: string,
): Promise<{ readonly list: GpuList; readonly wiring: Topology }> {
  const native = openDrivers(folder);
  if (!native.available) throw new RunFailure({ code: 'missing', message: native.reason, hint: native.hint });
  const opened = await native.openTelemetry();
  if (!opened.ok) throw new RunFailure({ code: 'missing', ...withoutCode(opened.error) });
  try {
    const list = await opened.value.list();
    if (!list.ok) throw new RunFailure({ code: 'failed', ...withoutCode(list.error) });
    const wiring = await opened.value.topology();
    if (!wiring.ok) throw new RunFailure({ code: 'failed', ...withoutCode(wiring.error) });
    return { list: list.value, wiring: wiring.value };
  } finally {
    await opened.value.close();
  }
}

const pathWords: Readonly<Record<NonNullable<GpuPair['path']>, string>> = {
  board: 'same board',
  pcieSwitch: 'one PCIe switch',
  pcieSwitches: 'PCIe switches',
  hostBridge: 'host bridge',
  numaNode: 'NUMA node',
  system: 'across sockets',
  unknown: 'unknown',
};
export const pathText = (path: GpuPair['path']): string | undefined =>
  path === undefined ? undefined : pathWords[path];

/** `18 NVLink`; without a link the nearest common point on PCIe. */
export const linkText = ({ nvlinks, path }: Pick<GpuPair, 'nvlinks' | 'path'>): string =>
  nvlinks > 0 ? `${nvlinks} NVLink` : (pathText(path) ?? 'not told');

/** Reading and writing the other's memory: yes, no with the reason, or not told. */
export function peerText({ p2p }: Pick<GpuPair, 'p2p'>): string {
  if (p2p.read === undefined) return 'not told';
  return p2p.read === 'ok' && p2p.write === 'ok' ? 'yes' : `no (${p2p.read === 'ok' ? p2p.write : p2p.read})`;
}

/** For the window: words instead of the driver's codes. */
export function describedTopology({
  list,
  wiring,
}: Awaited<ReturnType<typeof readTopology>>): MachineTopology {
  return {
    driver: list.driver,
    gpus: wiring.gpus.map((gpu) => ({
      index: gpu.index,
      name: gpu.name ?? 'unnamed GPU',
      pci: gpu.pciAddress,
      pcie:
        gpu.pcieMaxGeneration === undefined
          ? undefined
          : `gen ${gpu.pcieGeneration ?? '?'}×${gpu.pcieWidth ?? '?'} of gen ${gpu.pcieMaxGeneration}×${gpu.pcieMaxWidth ?? '?'}`,
      numa: gpu.numaNode,
      processors: gpu.cpuAffinity,
      nvlinks: gpu.nvlinks.length,
      instances: (list.gpus.find(({ index }) => index === gpu.index)?.instances ?? []).map(
        (instance) => instance.name ?? `instance ${instance.number}`,
      ),
    })),
    links: wiring.pairs.map(
      (pair): TopologyLink => ({
        from: pair.from,
        to: pair.to,
        link: linkText(pair),
        nvlinks: pair.nvlinks,
        path: pathText(pair.path),
        peer: peerText(pair),
        bytes_per_s: pair.nvlinkBytesPerSecond,
      }),
    ),
    numa: wiring.numa.map(({ node, distances }) => ({ node, distances })),
  };
}
