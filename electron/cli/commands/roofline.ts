import { existsSync } from 'node:fs';
import { findKernelTarget } from '../../../workloads/catalog/kernelTargets.ts';
import { findGpu, type Gpu, gpus } from '../../../workloads/hardware/gpus.ts';
import type { ModelShape } from '../../../workloads/model/shape.ts';
import {
  type Ceilings,
  dataSheetCeilings,
  levelLabel,
  memoryLevels,
} from '../../../workloads/roofline/ceilings.ts';
import {
  type CurvePoint,
  decodeOverBatch,
  decodeTurningBatch,
  doublings,
  prefillOverPrompt,
  ridges,
  settingOf,
} from '../../../workloads/roofline/curves.ts';
import {
  findFormat,
  formatOf,
  type Precision,
  precisionLabel,
  precisions,
  servingFormats,
  supports,
} from '../../../workloads/roofline/precision.ts';
import { limitLabel } from '../../../workloads/roofline/roof.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { readManifest } from '../../host/store/manifest.ts';
import { modelNamed } from '../../shared/modelFile.ts';
import { didYouMean } from '../closest.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { withCliKind } from '../kinds/cliKinds.ts';
import { latestPointsOf } from '../latestPoints.ts';
import { integer } from '../options.ts';
import { bundleOf, milliseconds, rate, short, showCaptured } from '../rooflinePoints.ts';
import { targetNamed } from '../specOptions.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';
import { plainErrors } from './capture.ts';

interface RooflineOptions {
  readonly gpu: string;
  readonly format?: string;
  readonly tp: number;
  readonly context: number;
  readonly batch: number;
  readonly prompt: number;
  readonly capture?: string;
  readonly run?: string;
  readonly model?: string;
  readonly json?: boolean;
}

/** Where prefill and decode of a model lie under a card's roof, or the kernels of a capture. */
export const roofline: CommandLineCommand = {
  name: 'roofline',
  register(program, terminal, run) {
    const command = program
      .command('roofline [model|target]')
      .description(
        'prefill and decode of a model under a card’s roof, and the batch at which decode turns compute-bound; or the kernels of an ncu report; of a target, its latest capture or run',
      )
      .option('--model <name|file|folder>', 'the model, as the argument: `dyno models`, or a config.json')
      .option('--gpu <id>', `the card: ${gpus.map((gpu) => gpu.id).join(', ')}`, 'h100-sxm')
      .option(
        '--format <id>',
        `number format: ${servingFormats.map((format) => format.id).join(', ')} (default: the model's)`,
      )
      .option('--tp <n>', 'GPUs of the tensor-parallel group', integer(1, 64), 1)
      .option('--context <tokens>', 'context of the decoding sequences', integer(1, 10_000_000), 1024)
      .option('--batch <n>', 'largest batch shown', integer(1, 65_536), 512)
      .option('--prompt <tokens>', 'longest prompt shown', integer(1, 10_000_000), 8192)
      .option('--capture <file>', 'an ncu report (.ncu-rep or .csv): its kernels instead of a model')
      .option(
        '--run <run>',
        'a simulated run (id or bundle folder): its prefill and decode passes instead of a model',
      )
      .option('--json', 'print one JSON document')
      .action((model: string | undefined, options: RooflineOptions) =>
        run(() =>
          plainErrors(async () => {
            const { capture, run: bundle, json } = options;
            if ([model, options.model, capture, bundle].filter((one) => one !== undefined).length > 1)
              throw new InputError('give one of a model, --capture or --run');
            const gpu = command.getOptionValueSource('gpu') === 'cli' ? gpuNamed(options.gpu) : undefined;
            if (capture !== undefined) return showCaptured(capture, gpu, json === true, terminal);
            if (bundle !== undefined) return showRun(bundle, json === true, terminal);
            if (model?.includes(':') === true && !existsSync(model))
              return showLatest(model, gpu, json === true, terminal);
            const name = model ?? options.model ?? 'llama-3.1-8b';
            const shape = modelNamed(name, 'roofline', (ids) => didYouMean(name, ids));
            return explore(shape, gpuNamed(options.gpu), options, terminal);
          }),
        ),
      );
  },
};

function gpuNamed(id: string): Gpu {
  const found = findGpu(id);
  if (found === undefined)
    throw new InputError(
      `--gpu ${id}: no such card${didYouMean(
        id,
        gpus.map((gpu) => gpu.id),
      )}`,
    );
  return found;
}

function explore(model: ModelShape, gpu: Gpu, options: RooflineOptions, terminal: Terminal): number {
  const format = options.format === undefined ? formatOf(model, gpu) : findFormat(options.format);
  if (format === undefined) {
    throw new InputError(
      `--format ${options.format}: expected one of ${servingFormats.map((one) => one.id).join(', ')}`,
    );
  }
  if (!supports(gpu, format.compute)) {
    throw new InputError(
      `${gpu.label} has no ${precisionLabel[format.compute]} cores: choose another --format or --gpu`,
    );
  }
  const ceilings = dataSheetCeilings(gpu);
  const setting = settingOf(model, ceilings, options.tp, format);
  const decode = decodeOverBatch(setting, doublings(1, options.batch), options.context);
  const prefill = prefillOverPrompt(setting, doublings(Math.min(128, options.prompt), options.prompt));
  const turning = decodeTurningBatch(setting, options.context, gpu.memoryBytes);
  if (options.json === true) {
    const row = ({ x, point, assessment, tokensPerSec }: CurvePoint) => ({
      x,
      point,
      assessment,
      tokens_per_s: tokensPerSec,
    });
    terminal.json({
      source: 'analytic',
      model: model.id,
      gpu: gpu.id,
      format,
      tensor_parallel: options.tp,
      context: options.context,
      ceilings,
      ridges: ridges(ceilings, format.compute),
      decode: decode.map(row),
      prefill: prefill.map(row),
      turning_batch: turning,
    });
    return 0;
  }
  const { paint } = terminal;
  terminal.print(
    [
      paint.bold(`${model.label} on ${options.tp} × ${gpu.label}, ${format.label}`),
      paint.faint('analytic lower bounds of the time: data-sheet ceilings, every byte moved once; per GPU'),
      '',
      ceilingTable(ceilings, format.compute),
      '',
      paint.bold(`decode at ${options.context} tokens of context`),
      curveTable('batch', decode),
      turning?.reason ?? '',
      '',
      paint.bold('prefill of one prompt'),
      curveTable('prompt', prefill),
      ...notesOf([...decode, ...prefill]),
    ].join('\n'),
  );
  return 0;
}

function ceilingTable(ceilings: Ceilings, precision: Precision): string {
  const ridge = ridges(ceilings, precision);
  const memory = memoryLevels.flatMap((level) => {
    const ceiling = ceilings.memory[level];
    if (ceiling === undefined) return [];
    return [
      [
        levelLabel[level],
        `${rate(ceiling.value)}B/s`,
        ridge[level] === undefined ? '' : `${short(ridge[level])} FLOP/B`,
        ceiling.basis.replace('_', ' '),
      ],
    ];
  });
  const compute = precisions.flatMap((one) => {
    const ceiling = ceilings.compute[one];
    return ceiling === undefined
      ? []
      : [[precisionLabel[one], `${rate(ceiling.value)}FLOP/s`, '', ceiling.basis.replace('_', ' ')]];
  });
  return textTable(
    [
      { title: 'ceiling' },
      { title: 'rate', align: 'right' },
      { title: `ridge of ${precisionLabel[precision]}`, align: 'right' },
      { title: 'source' },
    ],
    [...memory, ...compute],
  );
}

const curveTable = (x: string, points: readonly CurvePoint[]): string =>
  textTable(
    [
      { title: x, align: 'right' },
      { title: 'FLOP/B', align: 'right' },
      { title: 'time', align: 'right' },
      { title: 'tokens/s', align: 'right' },
      { title: 'attainable', align: 'right' },
      { title: 'bound by' },
    ],
    points.map(({ x: at, assessment, tokensPerSec }) => [
      String(at),
      short(assessment.intensity.hbm ?? 0),
      milliseconds(assessment.bestNs),
      short(tokensPerSec),
      `${rate(assessment.attainable)}FLOP/s`,
      assessment.bound.kind === 'latency' ? 'latency' : limitLabel(assessment.bound),
    ]),
  );

const notesOf = (points: readonly CurvePoint[]): string[] => {
  // All-reduce figures differ from point to point; --json has them.
  const notes = new Set(
    points.flatMap(({ point }) => point.notes.filter((note) => !note.startsWith('each GPU also'))),
  );
  return ['', ...notes];
};

/** The latest capture or run of a target; which one it is stands on standard error. */
async function showLatest(
  name: string,
  gpu: Gpu | undefined,
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  // A published name may stand for kernels and for a lesson: the kernels are what a counter report shows.
  const { id } = findKernelTarget(name) ?? targetNamed(name);
  const latest = await latestPointsOf(id);
  const when = new Date(latest.startedMs).toISOString().slice(0, 16).replace('T', ' ');
  if (latest.kind === 'capture') {
    terminal.note(`${id}: its latest capture, of ${when} UTC: ${latest.file}`);
    return showCaptured(latest.file, gpu, isJson, terminal);
  }
  terminal.note(`${id}: no ncu capture yet; its latest run, of ${when} UTC: ${latest.run}`);
  return showRun(latest.run, isJson, terminal);
}

/** The points of a finished run, by its kind. */
async function showRun(run: string, isJson: boolean, terminal: Terminal): Promise<number> {
  const folder = bundleOf(run);
  const { spec } = await readManifest(folder);
  return withCliKind(spec, (kind) => kind.roofline(folder, run, isJson, terminal));
}
