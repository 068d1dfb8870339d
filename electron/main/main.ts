import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { app, BrowserWindow, dialog, nativeTheme, screen, session } from 'electron';
import { menuChannel } from '../contract/channels.ts';
import { withoutDebugging } from './debuggingSwitches.ts';
import { answerPage } from './dialogs.ts';
import { HostLink } from './hostLink.ts';
import { lockDown } from './lockdown.ts';
import { installMenu } from './menu.ts';
import { registerScheme, servePage } from './page.ts';
import { pageOrigin } from './pagePath.ts';
import { ReadableFiles } from './readableFiles.ts';
import { RestartBudget } from './restartBudget.ts';
import {
  firstWindowState,
  isOnScreen,
  readWindowState,
  type WindowState,
  writeWindowState,
} from './windowState.ts';

const folder = import.meta.dirname;
const printsTiming = process.env['DYNO_TIMING'] === '1';
const sinceStart = () => Math.round(Date.now() - (process.getCreationTime() ?? Date.now()));
const timing = (what: string) => {
  if (printsTiming) console.log(`timing: ${what} ${sinceStart()} ms`);
};

// Before Chromium reads its switches; tests drive the unpackaged app through them.
if (app.isPackaged)
  for (const name of withoutDebugging(app.commandLine)) console.error(`--${name} is ignored`);
// Chromium's own sandbox does not start under root, where `--no-sandbox` is given (CI): enabling it would take that switch
// back, and no process would start at all. The page stays without Node either way.
if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox();
registerScheme();
if (app.requestSingleInstanceLock()) {
  run().catch((thrown: unknown) => {
    console.error(`Dyno could not start: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    app.exit(1);
  });
} else {
  app.quit();
}

async function run(): Promise<void> {
  let window: BrowserWindow | undefined;
  const stateFile = join(app.getPath('userData'), 'window.json');
  let state: WindowState = readWindowState(stateFile);
  nativeTheme.themeSource = state.theme;
  const readable = new ReadableFiles(join(app.getPath('userData'), 'opened.json'));
  const host = new HostLink(join(folder, 'host.mjs'), readable);
  const reloads = new RestartBudget();
  let stage: 'open' | 'closing' | 'closed' = 'open';

  /** The window and the application wait for the host, which seals the runs that go on. */
  const endInOrder = (event: { preventDefault(): void }) => {
    if (stage === 'closed') return;
    event.preventDefault();
    if (stage === 'closing') return;
    stage = 'closing';
    void host.close().then(() => {
      stage = 'closed';
      app.quit();
    });
  };

  app.on('second-instance', () => {
    if (window?.isMinimized() === true) window.restore();
    window?.focus();
  });
  app.on('window-all-closed', () => app.quit());
  app.on('before-quit', endInOrder);

  await app.whenReady();
  timing('app ready');
  lockDown(session.defaultSession);
  servePage(join(folder, 'renderer'));
  answerPage(
    () => window,
    host,
    (theme) => {
      state = { ...state, theme };
      window?.setBackgroundColor(background());
    },
  );
  window = openWindow(state);
  const contents = window.webContents;
  // Not before: its start would take the processor from the page's.
  contents.once('dom-ready', () => host.start());
  installMenu((command) => contents.send(menuChannel, command));
  contents.on('did-finish-load', () => host.connect(contents));
  contents.on('render-process-gone', (_event, { reason }) => {
    if (reason === 'clean-exit' || stage !== 'open') return;
    const delay = reloads.next(Date.now());
    if (delay === undefined) {
      console.error(`the page ended: ${reason}; it ended too often and is not loaded again`);
      void dialog
        .showMessageBox({
          type: 'error',
          message: 'The window of Dyno ended three times within a minute.',
          detail: `The last time: ${reason}. Runs go on, and what was measured is safe on disk.`,
          buttons: ['Load it again', 'Quit Dyno'],
        })
        .then(({ response }) => {
          if (response === 1) app.quit();
          else if (window?.isDestroyed() === false) contents.reload();
        });
      return;
    }
    console.error(`the page ended: ${reason}; it is loaded again`);
    setTimeout(() => {
      if (window?.isDestroyed() === false) contents.reload();
    }, delay);
  });
  contents.ipc.once('dyno:interactive', () => timing('interactive'));
  window.on('close', (event) => {
    if (window !== undefined) writeWindowState(stateFile, { ...state, ...placeOf(window) });
    endInOrder(event);
  });
  window.on('closed', () => {
    window = undefined;
  });
  try {
    await window.loadURL(`${pageOrigin}/index.html`);
  } catch (thrown) {
    // Closing the window aborts what it loads.
    if (stage === 'open') throw thrown;
  }
  timing('page loaded');
}

function background(): string {
  return nativeTheme.shouldUseDarkColors ? '#101113' : '#f4f4f5';
}

function openWindow(state: WindowState): BrowserWindow {
  const areas = screen.getAllDisplays().map((display) => display.workArea);
  const place = isOnScreen(state, areas) ? { x: state.x ?? 0, y: state.y ?? 0 } : {};
  const icon = join(folder, '../assets/icon.png');
  const window = new BrowserWindow({
    width: state.width,
    height: state.height,
    ...place,
    minWidth: 960,
    minHeight: 600,
    show: false,
    title: 'Dyno',
    autoHideMenuBar: true,
    backgroundColor: background(),
    ...(existsSync(icon) ? { icon } : {}),
    webPreferences: {
      preload: join(folder, 'preload.cjs'),
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      spellcheck: false,
      additionalArguments: [`--dyno-version=${app.getVersion()}`],
    },
  });
  window.once('ready-to-show', () => {
    if (state.maximized) window.maximize();
    window.show();
    timing('window shown');
  });
  return window;
}

function placeOf(window: BrowserWindow): Pick<WindowState, 'x' | 'y' | 'width' | 'height' | 'maximized'> {
  const { x, y, width, height } = window.getNormalBounds();
  return {
    x,
    y,
    width: Math.max(width, 800) || firstWindowState.width,
    height: Math.max(height, 500) || firstWindowState.height,
    maximized: window.isMaximized(),
  };
}
