import type { Command } from 'commander';
import type { Terminal } from './terminal.ts';

/** One command of `dyno`, one file each. Its action returns the exit status; what it throws becomes one line. */
export interface CommandLineCommand {
  readonly name: string;
  register(program: Command, terminal: Terminal, run: Run): void;
}

/** Runs an action and ends the process with its status. */
export type Run = (action: () => Promise<number>) => Promise<void>;
