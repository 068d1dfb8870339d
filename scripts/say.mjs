// Set-up talks on stderr only: stdout belongs to the program (`dyno … --json` prints one document there).

/** @param {string} line */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * A failure that the user can act on, printed as its one line, without a stack.
 * Exit status 3: something needed is missing; 1: a step of ours failed.
 */
export class SetupFailure extends Error {
  /**
   * @param {string} message
   * @param {number} [status]
   */
  constructor(message, status = 3) {
    super(message);
    this.status = status;
  }
}

/**
 * Runs a script's main function; a SetupFailure becomes its line and its exit status.
 * @param {() => void | Promise<void>} main
 */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof SetupFailure)) throw error;
    say(error.message);
    process.exit(error.status);
  }
}
