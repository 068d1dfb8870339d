import { BrowserWindow, session } from 'electron';
import { keepInside, refuseEverything } from './lockdown.ts';

const partition = 'report';
const scheme = 'dyno-report';
const address = `${scheme}://report/`;

/** Nothing but what the page itself holds: styles and pictures inline, no script, no request. */
const policy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** A page longer than this is no report of Dyno. */
const mostBytes = 64 * 1024 * 1024;

/**
 * Prints a report that the host made. It is served from memory under an address of its own, in a session where every other
 * request is cancelled and every permission refused, to a window without scripts.
 */
export async function printReport(html: string): Promise<Uint8Array> {
  if (Buffer.byteLength(html) > mostBytes) throw new Error('the report is too large to print');
  const own = session.fromPartition(partition);
  refuseEverything(own);
  own.webRequest.onBeforeRequest((details, answer) =>
    answer({ cancel: details.url !== address || details.resourceType !== 'mainFrame' }),
  );
  own.protocol.handle(
    scheme,
    () =>
      new Response(html, {
        headers: { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy },
      }),
  );
  const window = new BrowserWindow({
    show: false,
    webPreferences: {
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      javascript: false,
      partition,
    },
  });
  try {
    keepInside(window.webContents);
    await window.loadURL(address);
    return await window.webContents.printToPDF({ printBackground: true, pageSize: 'A4' });
  } finally {
    window.destroy();
    own.protocol.unhandle(scheme);
  }
}
