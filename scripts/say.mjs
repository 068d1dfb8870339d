// Set-up talks on stderr only: stdout belongs to the program (`dyno … --json` prints one document there).

/** @param {string} line */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * A failure that the user can act on: printed as one line, without a stack.
 * Exit status 3: something needed is missing; 1: a step failed.
 */
export class SetupFailure extends Error {
  /** @param {string} message @param {number} [status] */
  constructor(message, status = 1) {
    super(message);
    this.status = status;
  }
}
