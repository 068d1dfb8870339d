// What every spec imports: Playwright's `test` with Dyno's fixtures.
//
//   test('…', async ({ dyno }) => { await dyno.page.getByRole('button', { name: 'Run' }).click(); });
//   test('…', async ({ cli }) => { expect((await cli(['list', '--json'])).status).toBe(0); });
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test as base, expect } from '@playwright/test';
import { root } from '../../scripts/project.mjs';
import { type CliOptions, type CliResult, runCli } from './cli.ts';
import { removeFolder } from './removeFolder.ts';
import { type DynoWindow, launchDyno } from './window.ts';

export { expect };

interface Fixtures {
  /** A folder for DYNO_HOME, gone after the test. Window and command line of one test share it. */
  home: string;
  /** A running window; its consoles must stay clean. */
  dyno: DynoWindow;
  cli: (args: readonly string[], options?: Partial<CliOptions>) => Promise<CliResult>;
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixtures that are asked for from this pattern
  home: async ({}, use) => {
    const home = mkdtempSync(join(tmpdir(), 'dyno-home-'));
    await use(home);
    await removeFolder(home);
  },
  dyno: async ({ home }, use, info) => {
    const dyno = await launchDyno({ home });
    await use(dyno);
    if (info.status !== info.expectedStatus) {
      const picture = await dyno.page.screenshot().catch(() => undefined);
      if (picture) await info.attach('window', { body: picture, contentType: 'image/png' });
    }
    await dyno.close();
    expect(dyno.problems, 'the consoles of main and window').toEqual([]);
  },
  cli: async ({ home }, use) => {
    await use((args, options) => runCli(args, { home, ...options }));
  },
});

/**
 * A file of the shared data folder (DYNO_DATA, else ../shared/data); undefined where this machine does not have it:
 *
 *   const trace = sharedData('traces/mooncake-conversation.jsonl');
 *   test.skip(trace === undefined, 'the shared data folder is not here');
 */
export function sharedData(path: string): string | undefined {
  const file = join(process.env['DYNO_DATA'] || resolve(root, '../shared/data'), path);
  return existsSync(file) ? file : undefined;
}
