import { Command, CommanderError } from 'commander';
import { dynoVersion, projectFolder } from '../host/machine/dynoVersion.ts';
import { asHostError, exitStatusOf } from '../shared/runFailure.ts';
import { commands } from './commands.ts';
import { terminal } from './terminal.ts';

// `dyno … | head` closes the pipe early: that is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
}

/** Standard output may be a pipe that still has to take its bytes. */
async function end(status: number): Promise<void> {
  process.exitCode = status;
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  process.exit(status);
}

async function run(action: () => Promise<number>): Promise<void> {
  try {
    await end(await action());
  } catch (thrown) {
    const error = asHostError(thrown);
    terminal.note(`dyno: ${error.message}`);
    if (error.hint !== undefined) terminal.note(`  ${error.hint}`);
    if (error.code === 'internal' && error.detail !== undefined) terminal.note(error.detail);
    await end(exitStatusOf(error));
  }
}

const program = new Command('dyno')
  .description(
    'Puts LLM serving on the dynamometer: runs workloads, compares variants, keeps what was measured.',
  )
  .version(dynoVersion(projectFolder(import.meta.url)))
  .showHelpAfterError(false)
  .enablePositionalOptions()
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`${text.trim().replaceAll('\n', ' ')}\n`) })
  .addHelpText(
    'after',
    '\nExit status: 0 done, 1 the run or a check failed, 2 bad arguments or input, 3 something needed is missing, 130 stopped by Ctrl-C.',
  );
for (const command of commands) command.register(program, terminal, run);
for (const command of program.commands) command.exitOverride();

try {
  // `node`: in the packaged app this is an Electron run as Node, whose own argument rule would be guessed.
  await program.parseAsync(process.argv, { from: 'node' });
} catch (thrown) {
  // Commander has said what was wrong; help and version are no errors.
  if (!(thrown instanceof CommanderError)) throw thrown;
  await end(thrown.exitCode === 0 ? 0 : 2);
}
