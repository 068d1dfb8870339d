import { type Ceiling, nativeFolder } from '../../../native/index.ts';
import type { MachineTopology } from '../../contract/topology.ts';
import { describedTopology, readTopology } from '../../host/machine/machineTopology.ts';
import { openCuda } from '../../shared/cudaDevice.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { textTable } from '../textTable.ts';
import { ceilingsScale, shownCeiling } from './ceilings.ts';

interface Options {
  readonly json?: boolean;
  readonly measure?: boolean;
}

/** The measured rate of each link, and the links that could not be measured. */
interface MeasuredLinks {
  readonly nccl?: string;
  readonly links: readonly Ceiling[];
  readonly waived: readonly { readonly id: string; readonly reason: string }[];
}

/** How the GPUs of this machine are wired. */
export const topology: CommandLineCommand = {
  name: 'topology',
  register(program, terminal, run) {
    program
      .command('topology')
      .description('GPUs, their processors and the links between them; with --measure what each link carries')
      .option('--measure', 'copy over each link, and run NCCL over all GPUs')
      .option('--json', 'print one JSON document')
      .action((options: Options) =>
        run(async () => {
          const read = await readTopology(nativeFolder(import.meta.url));
          const measured = options.measure === true ? await measure() : undefined;
          if (options.json === true)
            terminal.json({
              ...read.list,
              topology: read.wiring,
              ...(measured === undefined ? {} : { measured }),
            });
          else terminal.print(described(describedTopology(read), measured));
          return 0;
        }),
      );
  },
};

const linkIds = ['hostToDevice', 'deviceToHost', 'peerCopy'];

/** Host links and peer copies of each GPU in turn, then the collectives once. */
async function measure(): Promise<MeasuredLinks> {
  const { native, cuda } = await openCuda(nativeFolder(import.meta.url));
  const scale = ceilingsScale();
  try {
    const links: Ceiling[] = [];
    const waived: { id: string; reason: string }[] = [];
    let nccl: string | undefined;
    for (const { index } of cuda.devices()) {
      const answer = await native.measureCeilings(cuda, {
        device: index,
        only: index === 0 ? [...linkIds, 'nccl'] : linkIds,
        ...(scale === undefined ? {} : { scale }),
      });
      if (!answer.ok)
        throw new RunFailure({ code: 'failed', message: answer.error.message, hint: answer.error.hint });
      const named = (id: string) => (/^(host|device)/.test(id) ? `${id}:${index}` : id);
      links.push(...answer.value.ceilings.map((each) => ({ ...each, id: named(each.id) })));
      waived.push(...answer.value.waived.map((each) => ({ ...each, id: named(each.id) })));
      nccl ??= answer.value.nccl;
    }
    return { ...(nccl === undefined ? {} : { nccl }), links, waived };
  } finally {
    cuda.close();
  }
}

function described(
  { driver, gpus, links, numa }: MachineTopology,
  measured: MeasuredLinks | undefined,
): string {
  const lines = [
    `driver ${driver ?? 'unknown'}`,
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
        { title: 'MIG' },
      ],
      gpus.map((gpu) => [
        String(gpu.index),
        gpu.name,
        gpu.pci ?? '',
        gpu.pcie ?? '',
        gpu.numa === undefined ? '' : String(gpu.numa),
        gpu.processors ?? '',
        String(gpu.nvlinks),
        gpu.instances.join(', '),
      ]),
    ),
  ];
  if (links.length > 0)
    lines.push(
      '',
      'peers: from each row to each column (links, peer access)',
      peerMatrix(gpus, (from, to) => {
        const pair = links.find((each) => each.from === from && each.to === to);
        return pair === undefined ? '' : `${pair.link}, ${pair.peer}`;
      }),
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
        links.map((link) => [
          String(link.from),
          String(link.to),
          link.path ?? '',
          link.peer,
          String(link.nvlinks),
          link.bytes_per_s === undefined ? '' : (link.bytes_per_s / 1e9).toFixed(0),
        ]),
      ),
    );
  if (numa.length > 1)
    lines.push(
      '',
      `NUMA distances (10 is the node itself): ${numa.map(({ node, distances }) => `node ${node}: ${distances.join(' ')}`).join('; ')}`,
    );
  if (measured !== undefined) lines.push('', ...measuredLines(gpus, measured));
  return lines.join('\n');
}

const peerMatrix = (gpus: MachineTopology['gpus'], cell: (from: number, to: number) => string): string =>
  textTable(
    [{ title: '' }, ...gpus.map(({ index }) => ({ title: `GPU ${index}`, align: 'right' as const }))],
    gpus.map((from) => [
      `GPU ${from.index}`,
      ...gpus.map((to) => (from === to ? '—' : cell(from.index, to.index))),
    ]),
  );

function measuredLines(gpus: MachineTopology['gpus'], { nccl, links, waived }: MeasuredLinks): string[] {
  const others = links.filter(({ id }) => !id.startsWith('peerCopy:'));
  const peer = (from: number, to: number) => links.find(({ id }) => id === `peerCopy:${from}>${to}`);
  return [
    'measured (as CUDA numbers the GPUs)',
    textTable(
      [{ title: 'link' }, { title: 'rate', align: 'right' }, { title: 'least … most', align: 'right' }],
      others.map((each) => {
        const device = /:(\d+)$/.exec(each.id)?.[1];
        return [
          /^(host|device)/.test(each.id) ? `GPU ${device}: ${each.name}` : each.name,
          shownCeiling(each.value, each.unit),
          `${shownCeiling(each.least, each.unit)} … ${shownCeiling(each.most, each.unit)}`,
        ];
      }),
    ),
    ...(links.length > others.length
      ? [
          '',
          'peer copies, GB/s',
          peerMatrix(gpus, (from, to) => {
            const found = peer(from, to);
            return found === undefined ? '' : (found.value / 1e9).toFixed(1);
          }),
        ]
      : []),
    ...(nccl === undefined ? [] : [`NCCL ${nccl}`]),
    ...waived.map(({ id, reason }) => `not measured: ${id}: ${reason}`),
  ];
}
