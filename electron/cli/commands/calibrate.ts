import {
  calibrateToRun,
  calibrateToTables,
  type PhaseFit,
} from '../../../workloads/calibration/calibrate.ts';
import { readMeasuredRequests } from '../../../workloads/calibration/measuredRun.ts';
import { findGpu, gpus } from '../../../workloads/hardware/gpus.ts';
import { findModel, models } from '../../../workloads/model/models.ts';
import { operatorFiles, readOperatorTables } from '../../../workloads/sim/operatorTables.ts';
import { InputError } from '../../../workloads/traffic/traffic.ts';
import { checkReadable, openBytes } from '../../runner/openFile.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { integer } from '../options.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';

interface CalibrateOptions {
  readonly gpu: string;
  readonly model: string;
  readonly tensorParallel: number;
  readonly tables?: string;
  readonly requests?: string;
  readonly kvBlocks?: number;
  readonly blockTokens: number;
  readonly maxSequences: number;
  readonly maxBatchedTokens: number;
  readonly json?: boolean;
}

/** Fits the roofline's efficiencies to what was measured, and says how good the fit is where it was not fitted. */
export const calibrate: CommandLineCommand = {
  name: 'calibrate',
  register(program, terminal, run) {
    program
      .command('calibrate')
      .description('fit the roofline to measured operators or to a measured run')
      .requiredOption('--gpu <id>', 'data sheet, e.g. rtx-4090')
      .requiredOption('--model <id>', 'model shape, e.g. llama-3.1-8b')
      .option('--tensor-parallel <n>', 'GPUs of the group', integer(1, 64), 1)
      .option('--tables <folder>', `${Object.values(operatorFiles).join(', ')}`)
      .option('--requests <file>', 'requests.jsonl of a measured run')
      .option('--kv-blocks <n>', 'KV blocks of the engine (with --requests)', integer(1, 1e9))
      .option('--block-tokens <n>', 'tokens of a KV block', integer(1, 65_536), 16)
      .option('--max-sequences <n>', 'max_num_seqs of the engine', integer(1, 1e6), 256)
      .option('--max-batched-tokens <n>', 'max_num_batched_tokens of the engine', integer(1, 1e6), 2048)
      .option('--json', 'print one JSON document')
      .action((options: CalibrateOptions) => run(() => answer(options, terminal)));
  },
};

async function answer(options: CalibrateOptions, terminal: Terminal): Promise<number> {
  const { gpu, model, tensorParallel } = options;
  if (findGpu(gpu) === undefined)
    throw new InputError(`--gpu ${gpu}: expected one of ${gpus.map(({ id }) => id).join(', ')}`);
  if (findModel(model) === undefined)
    throw new InputError(`--model ${model}: expected one of ${models.map(({ id }) => id).join(', ')}`);
  if ((options.tables === undefined) === (options.requests === undefined))
    throw new InputError('expected either --tables FOLDER or --requests FILE');
  const result =
    options.tables === undefined
      ? await toRun(options, options.requests ?? '')
      : calibrateToTables(gpu, model, tensorParallel, await tablesOf(options.tables));
  if (options.json === true) {
    terminal.json(result);
    return 0;
  }
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const row = (part: string) => (phase: PhaseFit) => [
    phase.phase,
    part,
    String(phase.points),
    percent(phase.median),
    percent(phase.p90),
  ];
  terminal.print(
    textTable(
      [
        { title: 'phase' },
        { title: 'part' },
        { title: 'points', align: 'right' },
        { title: 'median error', align: 'right' },
        { title: 'p90', align: 'right' },
      ],
      [...result.fitted.map(row('fitted')), ...result.heldOut.map(row('held out'))],
    ),
  );
  terminal.print(`\nFor an instance's cost in a run spec:\n${JSON.stringify(result.cost, null, 2)}`);
  return 0;
}

async function toRun(options: CalibrateOptions, path: string) {
  if (options.kvBlocks === undefined)
    throw new InputError(
      '--requests needs --kv-blocks: the engine prints it when it starts (num_gpu_blocks)',
    );
  checkReadable(path, 'requests of a measured run (JSON lines)');
  return calibrateToRun(
    options.gpu,
    options.tensorParallel,
    {
      model: options.model,
      kvBlocks: options.kvBlocks,
      blockTokens: options.blockTokens,
      maxSequences: options.maxSequences,
      maxBatchedTokens: options.maxBatchedTokens,
    },
    await readMeasuredRequests(path, openBytes(path)),
  );
}

async function tablesOf(folder: string) {
  for (const file of Object.values(operatorFiles))
    checkReadable(`${folder}/${file}`, 'an operator table (CSV)');
  return readOperatorTables(folder, (file) => openBytes(`${folder}/${file}`));
}
