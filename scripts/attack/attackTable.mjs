/** One line per attack, printed when it is over: `✓ kills while sealing   25 of 25 whole   budget: all`. */
export class AttackTable {
  failures = 0;

  /** @param {number} cores */
  constructor(cores) {
    console.log(`attack on ${cores} cores, ${new Date().toISOString()}\n`);
  }

  /**
   * @param {string} what
   * @param {string} found
   * @param {string} budget
   * @param {boolean} isGood
   */
  line(what, found, budget, isGood) {
    if (!isGood) this.failures += 1;
    console.log(`${isGood ? '✓' : '✕'} ${what.padEnd(58)} ${found.padEnd(34)} ${budget}`);
  }

  /** A figure beside its budget: a miss is shown, and fails nothing. @param {string} what @param {string} found @param {string} budget */
  figure(what, found, budget) {
    console.log(`· ${what.padEnd(58)} ${found.padEnd(34)} ${budget}`);
  }

  /** A line below another one, with what was seen. @param {string} text */
  note(text) {
    console.log(`    ${text}`);
  }

  end() {
    console.log(
      this.failures === 0 ? '\nno data lost, no attack succeeded' : `\n${this.failures} lines failed`,
    );
    process.exitCode = this.failures === 0 ? 0 : 1;
  }
}
