import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { app, BrowserWindow, clipboard, dialog, nativeTheme, shell } from 'electron';
import { GrantedPaths } from './grantedPaths.ts';
import { handle } from './ipc.ts';
import type { WindowState } from './windowState.ts';

/** Answers everything that the page asks of main. */
export function answerPage(
  owner: () => BrowserWindow | undefined,
  setTheme: (theme: WindowState['theme']) => void,
): void {
  const granted = new GrantedPaths();

  handle('dyno:choose-save-path', async ({ title, suggestedName, extension }) => {
    const options = {
      title,
      defaultPath: join(app.getPath('documents'), suggestedName.replace(/[/\\:*?"<>|]/g, '_')),
      filters: [{ name: extension.toUpperCase(), extensions: [extension] }],
    };
    const window = owner();
    const answer =
      window === undefined
        ? await dialog.showSaveDialog(options)
        : await dialog.showSaveDialog(window, options);
    return answer.canceled || answer.filePath === '' ? null : granted.grant(answer.filePath);
  });

  handle('dyno:choose-open-path', async ({ title, extensions, folder }) => {
    const options = {
      title,
      properties: [folder === true ? ('openDirectory' as const) : ('openFile' as const)],
      filters: extensions.length === 0 ? [] : [{ name: extensions.join(', '), extensions: [...extensions] }],
    };
    const window = owner();
    const answer =
      window === undefined
        ? await dialog.showOpenDialog(options)
        : await dialog.showOpenDialog(window, options);
    return answer.filePaths[0] ?? null;
  });

  handle('dyno:write-file', async ({ path, bytes }) => {
    await writeAside(granted.require(path), bytes);
  });

  handle('dyno:print-to-pdf', async ({ htmlPath, pdfPath }) => {
    const target = granted.require(pdfPath);
    await writeAside(target, await printToPdf(resolve(htmlPath)));
  });

  handle('dyno:show-in-folder', ({ path }) => {
    shell.showItemInFolder(resolve(path));
  });

  handle('dyno:copy-text', ({ text }) => {
    clipboard.writeText(text);
  });

  handle('dyno:set-theme', ({ theme }) => {
    nativeTheme.themeSource = theme;
    setTheme(theme);
  });
}

/** The old file stays until the new one is whole. */
async function writeAside(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const aside = `${path}.${process.pid}.part`;
  await writeFile(aside, bytes);
  await rename(aside, path);
}

/** Reports are self-contained HTML: loaded in a window of their own without scripts, network or preload. */
async function printToPdf(htmlPath: string): Promise<Uint8Array> {
  const window = new BrowserWindow({
    show: false,
    webPreferences: {
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      javascript: false,
      partition: 'report',
    },
  });
  try {
    await window.loadURL(pathToFileURL(htmlPath).href);
    return await window.webContents.printToPDF({ printBackground: true, pageSize: 'A4' });
  } finally {
    window.destroy();
  }
}
