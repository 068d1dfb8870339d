// What a suite reports, in one form.

/**
 * @typedef {object} Result
 * @property {number} passed
 * @property {string[]} failed names
 * @property {string[]} skipped names, each with its reason
 */

/** `12 passed, 0 failed, 1 skipped` @param {readonly Result[]} results */
export function total(results) {
  let [passed, failed, skipped] = [0, 0, 0];
  for (const result of results) {
    passed += result.passed;
    failed += result.failed.length;
    skipped += result.skipped.length;
  }
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/**
 * @param {any} report of Playwright's JSON reporter
 * @returns {Result}
 */
export function readPlaywright(report) {
  /** @type {Result} */
  const result = { passed: 0, failed: [], skipped: [] };
  for (const suite of report.suites) addSuite(suite, [], result);
  for (const error of report.errors ?? []) result.failed.push(`e2e: ${String(error.message).split('\n')[0]}`);
  return result;
}

/**
 * @param {any} suite
 * @param {readonly string[]} above
 * @param {Result} result
 */
function addSuite(suite, above, result) {
  const path = [...above, suite.title];
  for (const spec of suite.specs ?? []) {
    for (const test of spec.tests) {
      const name = [...path, spec.title].join(' › ');
      if (test.status === 'expected') result.passed += 1;
      else if (test.status === 'skipped') result.skipped.push(`${name}: ${reasonIn(test)}`);
      else result.failed.push(test.status === 'flaky' ? `${name}: passed only when tried again` : name);
    }
  }
  for (const inner of suite.suites ?? []) addSuite(inner, path, result);
}

/** @param {any} test */
function reasonIn(test) {
  const note = test.annotations?.find((/** @type {any} */ annotation) =>
    ['skip', 'fixme'].includes(annotation.type),
  );
  return note?.description ?? 'no reason given';
}

/**
 * A program that counts by itself and says so in a line of its own, `native: 14 passed, 0 failed`.
 * @param {string} words
 * @returns {Result | undefined}
 */
export function readCountLine(words) {
  const match = /^[\w-]+: (\d+) passed, (\d+) failed/m.exec(words);
  if (match === null) return undefined;
  const failed = Array.from(
    { length: Number(match[2]) },
    (_, index) => `${match[0].split(':')[0]} ${index + 1} (named above)`,
  );
  return { passed: Number(match[1]), failed, skipped: [] };
}
