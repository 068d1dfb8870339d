import type { BenchOptions } from '../benchOptions.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { commandsOf } from '../kinds/cliKinds.ts';
import { addRecordOptions } from '../recordOptions.ts';
import { addSpecOptions } from '../specOptions.ts';

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
      .action((target: string | undefined, options: BenchOptions) =>
        runAction(() => {
          const given = (name: string) => command.getOptionValueSource(name) === 'cli';
          return commandsOf(target, options.engine).run(options, given, terminal);
        }),
      );
  },
};
