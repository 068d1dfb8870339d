import { InputError } from '../../../workloads/run/inputError.ts';
import { benchMany, targetsNamed } from '../benchMany.ts';
import type { BenchOptions } from '../benchOptions.ts';
import type { CommandLineCommand } from '../commandLine.ts';
import { addExpectationOptions, checkExpectationOptions } from '../expectations.ts';
import { commandsOf } from '../kinds/cliKinds.ts';
import { addRecordOptions } from '../recordOptions.ts';
import { addSpecOptions } from '../specOptions.ts';

/** Both variants on the same traffic, then the comparison. */
export const bench: CommandLineCommand = {
  name: 'bench',
  register(program, terminal, run) {
    const command = program
      .command('bench [targets...]')
      .description(
        'baseline against optimized, with verification and confidence intervals; several targets, a chapter (ch15, ch17, labs, serving) or all as one table',
      );
    addSpecOptions(command, 'two variants, the baseline first; for kernels any of its variants');
    addExpectationOptions(addRecordOptions(command))
      .option(
        '--check-inputs',
        'simulated runs again: alike from the same seed, unlike from another one and from traffic that is 1 % different',
      )
      .option('--out <folder>', 'where the run bundles go (else the runs folder)')
      .option('--keep', 'keep the run bundles', true)
      .option('--no-keep', 'delete the run bundles afterwards')
      .option('--report <file>', 'write an HTML report')
      .option('--print-spec', 'print the run specs and stop')
      .option('--json', 'print one JSON document')
      .action((targets: readonly string[], options: BenchOptions) =>
        run(() => {
          const given = (name: string) => command.getOptionValueSource(name) === 'cli';
          checkExpectationOptions(options, options.engine);
          const many = targetsNamed(targets, options.engine);
          if (many === undefined) {
            const [target] = targets;
            const engine = given('engine') ? options.engine : 'sim';
            return commandsOf(target, engine).bench(options, given, terminal);
          }
          if (options.report !== undefined || options.printSpec === true || options.spec !== undefined)
            throw new InputError('--report, --print-spec and --spec: for one target, not for several');
          const words = process.argv.slice(process.argv.indexOf('bench') + 1);
          const passed = words.filter((word) => !targets.includes(word) && word !== '--json');
          const { engine, expect, updateExpectations } = options;
          const isJson = options.json === true;
          // Each of them writes the one file of the hardware.
          const oneByOne = updateExpectations === true;
          return benchMany(
            many,
            passed,
            { isJson, engine, oneByOne, expects: expect === true || oneByOne },
            terminal,
          );
        }),
      );
  },
};
