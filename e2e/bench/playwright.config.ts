import { defineConfig } from '@playwright/test';

// Benchmarks of the window: they print figures beside their budgets and are no part of `npm test`.
export default defineConfig({
  testDir: '.',
  testMatch: '**/*.bench.ts',
  outputDir: '../../test-results/bench',
  workers: 1,
  retries: 0,
  timeout: 0,
  reporter: [['line']],
});
