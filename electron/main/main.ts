import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { app, BrowserWindow, nativeTheme, screen, session } from 'electron';
import { menuChannel } from '../contract/channels.ts';
import { answerPage } from './dialogs.ts';
import { HostLink } from './hostLink.ts';
import { lockDown } from './lockdown.ts';
import { installMenu } from './menu.ts';
import { registerScheme, servePage } from './page.ts';
import { pageOrigin } from './pagePath.ts';
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

// It would take back the --no-sandbox that root needs: Chromium then starts no process at all.
if (!app.commandLine.hasSwitch('no-sandbox'))
  if (!app.commandLine.hasSwitch('no-sandbox'))
    // Chromium's own sandbox does not start under root, where `--no-sandbox` is given (CI); the page stays without Node either way.
    app.enableSandbox();
registerScheme();
if (app.requestSingleInstanceLock()) {
  void run();
} else {
  app.quit();
}

async function run(): Promise<void> {
  let window: BrowserWindow | undefined;
  const stateFile = join(app.getPath('userData'), 'window.json');
  let state: WindowState = readWindowState(stateFile);
  nativeTheme.themeSource = state.theme;
  const host = new HostLink(join(folder, 'host.mjs'));

  app.on('second-instance', () => {
    if (window?.isMinimized() === true) window.restore();
    window?.focus();
  });
  app.on('window-all-closed', () => app.quit());
  app.on('will-quit', () => host.stop());

  await app.whenReady();
  timing('app ready');
  lockDown(session.defaultSession);
  servePage(join(folder, 'renderer'));
  answerPage(
    () => window,
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
    console.error(`the page ended: ${reason}; it is loaded again`);
    if (reason !== 'clean-exit' && window?.isDestroyed() === false) contents.reload();
  });
  contents.ipc.once('dyno:interactive', () => timing('interactive'));
  window.on('close', () => {
    if (window !== undefined) writeWindowState(stateFile, { ...state, ...placeOf(window) });
  });
  window.on('closed', () => {
    window = undefined;
  });
  await window.loadURL(`${pageOrigin}/index.html`);
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
