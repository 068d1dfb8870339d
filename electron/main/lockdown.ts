import { app, type Session, shell, type WebContents } from 'electron';
import { pageOrigin } from './pagePath.ts';

/** Documentation that a lesson may point to; opened in the user's browser, never here. */
const outsideHosts: ReadonlySet<string> = new Set([
  'arxiv.org',
  'docs.nvidia.com',
  'developer.nvidia.com',
  'docs.vllm.ai',
  'docs.sglang.ai',
  'github.com',
  'www.usenix.org',
]);

export function mayOpenOutside(address: string): boolean {
  try {
    const url = new URL(address);
    return (
      url.protocol === 'https:' && outsideHosts.has(url.host) && url.username === '' && url.password === ''
    );
  } catch {
    return false;
  }
}

/** No permission for anything in this session. */
export function refuseEverything(session: Session): void {
  session.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
}

/** Contents that stay on the address that they were given: no frame of theirs navigates. */
export function keepInside(contents: WebContents): void {
  contents.on('will-frame-navigate', (event) => event.preventDefault());
}

/** No permission, no navigation, no second window, no webview, whatever the page asks for. */
export function lockDown(session: Session): void {
  refuseEverything(session);
  app.on('web-contents-created', (_event, contents) => {
    contents.on('will-navigate', (event) => {
      if (!event.url.startsWith(`${pageOrigin}/`)) event.preventDefault();
    });
    contents.on('will-redirect', (event) => event.preventDefault());
    contents.on('will-attach-webview', (event) => event.preventDefault());
    contents.setWindowOpenHandler(({ url }) => {
      if (mayOpenOutside(url)) void shell.openExternal(url);
      return { action: 'deny' };
    });
  });
}
