import { findKernelTarget } from '../../../workloads/catalog/kernelTargets.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { summaryTable, windowLines } from '../figures.ts';
import { benchKernels } from '../kernelBench.ts';
import { modelNotes } from '../modelNotes.ts';
import { addRecordOptions, type RecordOptions, recordOf } from '../recordOptions.ts';
import { withSession } from '../session.ts';
import { addSpecOptions, type SpecOptions, specsOf } from '../specOptions.ts';
import type { Terminal } from '../terminal.ts';
import { unfinished } from '../unfinished.ts';
import { summaryOf } from './bench.ts';

interface RunOptions extends SpecOptions, RecordOptions {
  readonly json?: boolean;
  readonly out?: string;
  readonly keep: boolean;
  readonly report?: string;
  readonly printSpec?: boolean;
}

/** One variant of a target, or a saved spec. */
export const run: CommandLineCommand = {
  name: 'run',
  register(program, terminal, runAction) {
    const command = program
      .command('run [target]')
      .description('run one variant of a target, or a saved spec');
    addRecordOptions(addSpecOptions(command, 'the variant (default: optimized)'))
      .option('--out <folder>', 'where the run bundle goes (else the runs folder)')
      .option('--keep', 'keep the run bundles', true)
      .option('--no-keep', 'delete the run bundle afterwards')
      .option('--report <file>', 'write an HTML report')
      .option('--print-spec', 'print the run spec and stop')
      .option('--json', 'print one JSON document')
      .action((target: string | undefined, options: RunOptions) =>
        runAction(() => {
          const kernels = target === undefined ? undefined : findKernelTarget(target);
          if (kernels === undefined) return runTarget(target, options, terminal);
          const given = (name: string) => command.getOptionValueSource(name) === 'cli';
          return benchKernels(kernels, options, given, terminal, ['optimized']);
        }),
      );
  },
};

async function runTarget(
  targetId: string | undefined,
  options: RunOptions,
  terminal: Terminal,
): Promise<number> {
  if (recordOf(options) !== undefined)
    throw new InputError(`--kernels and --counters: ${targetId ?? ''} launches no kernels of Dyno's`);
  const specs = specsOf(targetId, options, ['optimized'], terminal.note);
  const [spec] = specs;
  if (spec === undefined || specs.length !== 1)
    throw new InputError(`--variant ${options.variant ?? ''}: expected one variant; \`dyno bench\` runs two`);
  if (options.printSpec === true) {
    terminal.json(spec);
    return 0;
  }
  return withSession(options, async (session) => {
    const job = await session.runToEnd(`${spec.target}: ${spec.variant}`, [spec], options.pace);
    const id = job.runs[0]?.run;
    if (job.state !== 'done' || id === undefined) return unfinished(job, session, options, terminal);
    const summary = await summaryOf(session, id);
    const folder = session.host.folderOf(id);
    if (options.report !== undefined)
      await session.request('runs.report', { baseline: id, optimized: id, path: options.report });
    if (options.json === true)
      terminal.json({ run: id, ...(options.keep ? { folder } : {}), wall_s: job.elapsed_ms / 1000, summary });
    else {
      const { paint } = terminal;
      terminal.print(
        [
          `${paint.bold(spec.target)} · ${spec.variant} · engine ${spec.engine}${summary.simulated ? ' (simulated)' : ''} · ${summary.traffic.requests} requests · ${summary.traffic.name}`,
          '',
          summaryTable(spec.variant, summary),
          ...windowLines(spec.variant, summary),
          ...modelNotes([spec]),
          ...windowLines(spec.variant, summary),
        ].join('\n'),
      );
      terminal.note(options.keep ? `run: ${folder}` : 'the run bundle was not kept');
    }
    if (!options.keep) await session.request('runs.delete', { runs: [id] });
    return 0;
  });
}
