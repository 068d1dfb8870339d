// A vitest reporter that writes a Result: unlike the JSON reporter it knows why a test was skipped, and it counts
// files that did not load and errors outside any test.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './project.mjs';

export const unitReport = join(root, 'test-results/unit.json');

/** @implements {Pick<import('vitest/reporters').Reporter, 'onTestRunEnd'>} */
export default class UnitReport {
  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly import('@vitest/utils').SerializedError[]} unhandled
   */
  onTestRunEnd(modules, unhandled) {
    /** @type {import('./testResults.mjs').Result} */
    const result = { passed: 0, failed: [], skipped: [] };
    for (const module of modules) addModule(module, result);
    for (const error of unhandled) result.failed.push(`outside any test: ${firstLine(error.message)}`);
    mkdirSync(dirname(unitReport), { recursive: true });
    writeFileSync(unitReport, JSON.stringify(result));
  }
}

/**
 * @param {import('vitest/node').TestModule} module
 * @param {import('./testResults.mjs').Result} result
 */
function addModule(module, result) {
  for (const test of module.children.allTests()) {
    const name = `${module.relativeModuleId} › ${test.fullName}`;
    const outcome = test.result();
    if (outcome.state === 'passed') result.passed += 1;
    else if (outcome.state === 'skipped')
      result.skipped.push(`${name}: ${outcome.note ?? 'no reason given'}`);
    else result.failed.push(name);
  }
  for (const error of module.errors())
    result.failed.push(`${module.relativeModuleId}: ${firstLine(error.message)}`);
  for (const suite of module.children.allSuites()) {
    for (const error of suite.errors())
      result.failed.push(`${module.relativeModuleId} › ${suite.name}: ${firstLine(error.message)}`);
  }
}

/** @param {string} text */
const firstLine = (text) => text.split('\n')[0] ?? '';
