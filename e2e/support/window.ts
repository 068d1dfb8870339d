// Starts the real Electron on the built app, with a home and a user-data folder of its own. Anything the app complains
// about on its consoles fails the test that saw it.
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ElectronApplication, _electron as electron, type Page } from '@playwright/test';
import { electronEnvironment, requireElectron, sandboxSwitches } from '../../scripts/electron/runtime.mjs';
import { root } from '../../scripts/project.mjs';
import { removeFolder } from './removeFolder.ts';

export const screenshots = join(root, 'test-results/screenshots');

export interface LaunchOptions {
  /** DYNO_HOME: where the app keeps its runs. A fresh folder unless given. */
  readonly home?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A packaged app to start instead of the built folder. */
  readonly executable?: string;
}

export interface DynoWindow {
  readonly app: ElectronApplication;
  readonly page: Page;
  readonly home: string;
  /** Errors and warnings of the app's consoles so far. */
  readonly problems: readonly string[];
  /** Says that a complaint is expected: it no longer fails the test. */
  expectProblem(pattern: RegExp): void;
  /** 1280×800 in dark and light, under test-results/screenshots. */
  screenshot(name: string): Promise<void>;
  close(): Promise<void>;
}

export async function launchDyno(options: LaunchOptions = {}): Promise<DynoWindow> {
  const scratch = mkdtempSync(join(tmpdir(), 'dyno-e2e-'));
  const home = options.home ?? join(scratch, 'home');
  mkdirSync(home, { recursive: true });
  const runtime = requireElectron();
  const env = definedOnly({ ...electronEnvironment(runtime), DYNO_HOME: home, ...options.env });
  const switches = [...sandboxSwitches(), `--user-data-dir=${join(scratch, 'user-data')}`];
  // Without an executable Playwright asks the electron package, which the environment points at our runtime.
  Object.assign(process.env, { ELECTRON_OVERRIDE_DIST_PATH: runtime.folder });
  const app = await electron.launch({
    ...(options.executable === undefined ? {} : { executablePath: options.executable }),
    args: [...switches, ...(options.executable === undefined ? [root] : []), ...(options.args ?? [])],
    env,
    cwd: root,
  });
  const expected: RegExp[] = [];
  const problems: string[] = [];
  const report = (problem: string) => {
    if (!expected.some((pattern) => pattern.test(problem))) problems.push(problem);
  };
  listenToProcess(app, report);
  app.on('window', (page) => listenToPage(page, report));
  const page = await firstPage(app, problems);
  listenToPage(page, report);
  return {
    app,
    page,
    home,
    problems,
    expectProblem(pattern) {
      expected.push(pattern);
      for (let index = problems.length - 1; index >= 0; index -= 1) {
        if (pattern.test(problems[index] ?? '')) problems.splice(index, 1);
      }
    },
    screenshot: (name) => screenshot(page, name),
    async close() {
      await app.close();
      await removeFolder(scratch);
    },
  };
}

async function firstPage(app: ElectronApplication, problems: readonly string[]): Promise<Page> {
  try {
    const page = await app.firstWindow({ timeout: 20_000 });
    await page.waitForLoadState('domcontentloaded');
    await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.setContentSize(1280, 800));
    return page;
  } catch (error) {
    app.process().kill('SIGKILL');
    throw new Error(`the window did not open; so far the app said:\n${problems.join('\n')}`, {
      cause: error,
    });
  }
}

async function screenshot(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(screenshots, `${name}-${colorScheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: null });
}

const listening = new WeakSet<Page>();

function listenToPage(page: Page, report: (problem: string) => void): void {
  if (listening.has(page)) return;
  listening.add(page);
  page.on('console', (message) => {
    if (message.type() === 'error') report(`window console: ${message.text()}`);
  });
  page.on('pageerror', (error) => report(`window exception: ${error.message}`));
  page.on('crash', () => report('window: its process crashed'));
}

// Chromium's own log lines and the debugger's; on a server without D-Bus and GPU there are always some.
const noise =
  /^\[[\d:/.]+:(?:ERROR|WARNING|INFO)|^(?:DevTools|Debugger) |^For help, see|^Waiting for the debugger|^libva|^MESA/;

function listenToProcess(app: ElectronApplication, report: (problem: string) => void): void {
  let rest = '';
  app.process().stderr?.on('data', (bytes: Buffer) => {
    const lines = (rest + bytes.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '' && !noise.test(line)) report(`main: ${line}`);
  });
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
