import { type GpuList, type GpuPair, nativeFolder, type Topology } from '../../../native/index.ts';
import { openDrivers } from '../../runner/nativeDrivers.ts';
import { RunFailure } from '../../runner/runFailure.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { textTable } from '../textTable.ts';

/** How the GPUs of this machine are wired. */
export const topology: CommandLineCommand = {
  name: 'topology',
  register(program, terminal, run) {
    program
      .command('topology')
      .description('GPUs, their processors and the links between them')
      .option('--json', 'print one JSON document')
      .action((options: { readonly json?: boolean }) =>
        run(async () => {
          const { list, wiring } = await readTopology();
          if (options.json === true) terminal.json({ ...list, topology: wiring });
          else terminal.print(described(list, wiring));
          return 0;
        }),
      );
  },
};

async function readTopology(): Promise<{ readonly list: GpuList; readonly wiring: Topology }> {
  const native = openDrivers(nativeFolder(import.meta.url));
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

const withoutCode = ({ message, hint }: { readonly message: string; readonly hint: string }) => ({
  message,
  hint,
});

const pathWords: Readonly<Record<NonNullable<GpuPair['path']>, string>> = {
  board: 'same board',
  pcieSwitch: 'one PCIe switch',
  pcieSwitches: 'PCIe switches',
  hostBridge: 'host bridge',
  numaNode: 'NUMA node',
  system: 'across sockets',
  unknown: 'unknown',
};

function described(list: GpuList, { gpus, pairs }: Topology): string {
  const lines = [
    `driver ${list.driver ?? 'unknown'} · CUDA ${list.cuda ?? 'unknown'}`,
    '',
    textTable(
      [
        { title: 'GPU' },
        { title: 'name' },
        { title: 'PCI' },
        { title: 'PCIe' },
        { title: 'NUMA' },
        { title: 'processors' },
        { title: 'NVLinks', align: 'right' },
      ],
      gpus.map((gpu) => [
        String(gpu.index),
        gpu.name ?? '',
        gpu.pciAddress ?? '',
        gpu.pcieMaxGeneration === undefined
          ? ''
          : `gen ${gpu.pcieGeneration ?? '?'}×${gpu.pcieWidth ?? '?'} of gen ${gpu.pcieMaxGeneration}×${gpu.pcieMaxWidth ?? '?'}`,
        gpu.numaNode === undefined ? '' : String(gpu.numaNode),
        gpu.cpuAffinity ?? '',
        String(gpu.nvlinks.length),
      ]),
    ),
  ];
  if (pairs.length > 0)
    lines.push(
      '',
      textTable(
        [
          { title: 'from' },
          { title: 'to' },
          { title: 'nearest on PCIe' },
          { title: 'peer access' },
          { title: 'NVLinks', align: 'right' },
          { title: 'GB/s each way', align: 'right' },
        ],
        pairs.map(({ from, to, path, p2p, nvlinks, nvlinkBytesPerSecond }) => [
          String(from),
          String(to),
          path === undefined ? '' : pathWords[path],
          p2p.read === 'ok' && p2p.write === 'ok' ? 'yes' : `no (${p2p.read ?? 'unknown'})`,
          String(nvlinks),
          nvlinkBytesPerSecond === undefined ? '' : (nvlinkBytesPerSecond / 1e9).toFixed(0),
        ]),
      ),
    );
  return lines.join('\n');
}
