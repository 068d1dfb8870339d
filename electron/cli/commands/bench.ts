import type { BenchOptions } from '../benchOptions.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { commandsOf } from '../kinds/cliKinds.ts';
import { addRecordOptions } from '../recordOptions.ts';
import { addSpecOptions } from '../specOptions.ts';

/** Both variants on the same traffic, then the comparison. */
export const bench: CommandLineCommand = {
  name: 'bench',
  register(program, terminal, run) {
    const command = program
      .command('bench [target]')
      .description('baseline against optimized, with verification and confidence intervals');
    addRecordOptions(
      addSpecOptions(command, 'two variants, the baseline first; for kernels any of its variants'),
    )
      .option('--out <folder>', 'where the run bundles go (else the runs folder)')
      .option('--keep', 'keep the run bundles', true)
      .option('--no-keep', 'delete the run bundles afterwards')
      .option('--report <file>', 'write an HTML report')
      .option('--print-spec', 'print the run specs and stop')
      .option('--json', 'print one JSON document')
      .action((target: string | undefined, options: BenchOptions) =>
        run(() => {
          const given = (name: string) => command.getOptionValueSource(name) === 'cli';
          return commandsOf(target).bench(options, given, terminal);
        }),
      );
  },
};
