import type { CommandLineCommand } from './commandLine.ts';
import { bench } from './commands/bench.ts';
import { list } from './commands/list.ts';
import { run } from './commands/run.ts';

/** Every command of `dyno`, in the order of its help. */
export const commands: readonly CommandLineCommand[] = [list, run, bench];
