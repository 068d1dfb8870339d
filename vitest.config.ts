import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

// Tests on real traces read DYNO_DATA and skip, visibly, where it is empty.
const data = process.env['DYNO_DATA'] ?? resolve(import.meta.dirname, '../shared/data');

export default defineConfig({
  test: {
    include: ['{workloads,native,electron,renderer,scripts}/**/*.test.{ts,tsx}'],
    environment: 'node',
    passWithNoTests: false,
    env: { DYNO_DATA: existsSync(data) ? data : '' },
    testTimeout: 60_000,
  },
});
