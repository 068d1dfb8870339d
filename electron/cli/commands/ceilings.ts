import { SingleBar } from 'cli-progress';
import { type Ceiling, type Ceilings, nativeFolder } from '../../../native/index.ts';
import { gpuNamed } from '../../../workloads/hardware/gpuNamed.ts';
import type { Gpu } from '../../../workloads/hardware/gpus.ts';
import { asCudaFailure, openCuda } from '../../shared/cudaDevice.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { integer } from '../options.ts';
import { textTable } from '../textTable.ts';

interface Options {
  readonly json?: boolean;
  readonly gpu: number;
}

/** What this card can do, measured, beside what its data sheet says. */
export const ceilings: CommandLineCommand = {
  name: 'ceilings',
  register(program, terminal, run) {
    program
      .command('ceilings')
      .description('measure the roofs of a GPU: memory, links, matrix products, launches')
      .option('--gpu <index>', 'which GPU', integer(0, 1023), 0)
      .option('--json', 'print one JSON document')
      .action((options: Options) =>
        run(async () => {
          const abort = new AbortController();
          const interrupt = () => abort.abort();
          process.once('SIGINT', interrupt);
          try {
            const measured = await measure(options.gpu, abort.signal);
            const gpu = gpuNamed(measured.name);
            if (options.json === true) terminal.json(document(measured, gpu));
            else terminal.print(table(measured, gpu));
            return abort.signal.aborted ? 130 : 0;
          } finally {
            process.off('SIGINT', interrupt);
          }
        }),
      );
  },
};

async function measure(device: number, signal: AbortSignal): Promise<Ceilings> {
  const { native, cuda } = await openCuda(nativeFolder(import.meta.url));
  const bar = process.stderr.isTTY
    ? new SingleBar({
        stream: process.stderr,
        format: 'ceilings {bar} {percentage} % · {what} · ETA {eta} s',
        clearOnComplete: true,
        hideCursor: true,
      })
    : undefined;
  let isStarted = false;
  try {
    const scale = ceilingsScale();
    const answer = await native.measureCeilings(cuda, {
      device,
      ...(scale === undefined ? {} : { scale }),
      signal,
      onProgress: ({ done, total, id }) => {
        if (!isStarted) bar?.start(total, done, { what: id });
        else bar?.update(done, { what: id });
        isStarted = true;
      },
    });
    if (answer.ok) return answer.value;
    throw new RunFailure({ code: 'failed', message: answer.error.message, hint: answer.error.hint });
  } catch (thrown) {
    throw asCudaFailure(thrown);
  } finally {
    if (isStarted) bar?.stop();
    cuda.close();
  }
}

/** Smaller buffers and matrices where DYNO_CEILINGS_SCALE asks for them: tests on a fake driver do. */
export function ceilingsScale(environment: NodeJS.ProcessEnv = process.env): number | undefined {
  const scale = Number(environment['DYNO_CEILINGS_SCALE']);
  return scale > 0 && scale < 1 ? scale : undefined;
}

/** The vendor's figure for the same thing; absent where vendors publish none. */
export function dataSheetValue(id: string, gpu: Gpu): number | undefined {
  switch (id) {
    case 'deviceCopy':
    case 'hbmRead':
    case 'hbmCopy':
      return gpu.memoryBandwidth;
    case 'hostToDevicePinned':
    case 'deviceToHostPinned':
      // The sheet counts both directions together; a copy goes one way.
      return gpu.pcie / 2;
    case 'gemm:fp32':
      return gpu.peak.fp32;
    case 'gemm:tf32':
      return gpu.peak.tf32;
    case 'gemm:fp16':
    case 'gemm:bf16':
      return gpu.peak.bf16;
    case 'gemm:fp8':
      return gpu.peak.fp8;
    default:
      return undefined;
  }
}

const document = (measured: Ceilings, gpu: Gpu | undefined) => ({
  ...measured,
  ceilings: measured.ceilings.map((ceiling) => {
    const sheet = gpu === undefined ? undefined : dataSheetValue(ceiling.id, gpu);
    return sheet === undefined
      ? ceiling
      : { ...ceiling, data_sheet: sheet, of_data_sheet: ceiling.value / sheet };
  }),
  ...(gpu === undefined ? {} : { data_sheet: { card: gpu.label, source: gpu.source } }),
});

export function shownCeiling(value: number, unit: Ceiling['unit']): string {
  switch (unit) {
    case 'bytes/s':
      return `${(value / 1e9).toPrecision(4)} GB/s`;
    case 'FLOP/s':
      return `${(value / 1e12).toPrecision(4)} TFLOP/s`;
    case 's':
      return `${(value * 1e6).toPrecision(3)} µs`;
    case 'MHz':
      return `${value.toFixed(0)} MHz`;
    default: {
      const never: never = unit;
      return never;
    }
  }
}

function table({ name, ceilings: found, waived, seconds }: Ceilings, gpu: Gpu | undefined): string {
  const lines = [
    `${name} · ${seconds.toFixed(1)} s`,
    '',
    textTable(
      [
        { title: 'ceiling' },
        { title: 'measured', align: 'right' },
        { title: 'least … most', align: 'right' },
        { title: 'data sheet', align: 'right' },
        { title: 'of it', align: 'right' },
      ],
      found.map((ceiling) => {
        const sheet = gpu === undefined ? undefined : dataSheetValue(ceiling.id, gpu);
        const { unit } = ceiling;
        return [
          ceiling.name,
          shownCeiling(ceiling.value, unit),
          `${shownCeiling(ceiling.least, unit)} … ${shownCeiling(ceiling.most, unit)}`,
          sheet === undefined ? '' : shownCeiling(sheet, unit),
          sheet === undefined ? '' : `${((100 * ceiling.value) / sheet).toFixed(0)} %`,
        ];
      }),
    ),
    ...waived.map(({ id, reason }) => `not measured: ${id}: ${reason}`),
    gpu === undefined ? `no data sheet is known for "${name}"` : `data sheet: ${gpu.source}`,
  ];
  return lines.join('\n');
}
