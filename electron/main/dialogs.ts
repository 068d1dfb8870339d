import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { app, type BrowserWindow, clipboard, dialog, nativeTheme, shell } from 'electron';
import { GrantedPaths } from './grantedPaths.ts';
import type { HostLink } from './hostLink.ts';
import { handle } from './ipc.ts';
import { OneAtATime } from './oneAtATime.ts';
import { printReport } from './printReport.ts';
import type { WindowState } from './windowState.ts';

/** Answers everything that the page asks of main. */
export function answerPage(
  owner: () => BrowserWindow | undefined,
  host: HostLink,
  setTheme: (theme: WindowState['theme']) => void,
): void {
  const granted = new GrantedPaths();
  const printing = new OneAtATime();

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
    if (answer.canceled || answer.filePath === '') return null;
    const { grant, path } = granted.grant(answer.filePath);
    host.grantWriting(grant, path);
    return grant;
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
    const path = answer.filePaths[0];
    if (path === undefined) return null;
    host.grantReading(path);
    return path;
  });

  handle('dyno:dropped-file', ({ path }) => host.grantReading(path));

  handle('dyno:write-file', async ({ grant, bytes }) => {
    const path = granted.require(grant);
    await writeAside(path, bytes);
    return path;
  });

  handle('dyno:print-report', async ({ baseline, optimized, grant }) => {
    const path = granted.require(grant);
    const html = await host.report(baseline, optimized);
    const bytes = await printing.run(() => printReport(html));
    await writeAside(path, bytes);
    return { path, bytes: bytes.length };
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
