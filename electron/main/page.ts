import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { protocol } from 'electron';
import { contentSecurityPolicy, contentType, pagePath, scheme } from './pagePath.ts';

/** Before `ready`. */
export function registerScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme, privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
  ]);
}

/** Serves the built page from `root` and nothing else. */
export function servePage(root: string): void {
  protocol.handle(scheme, async (request) => {
    const file = pagePath(root, request.url);
    if (file === undefined) return new Response('not found', { status: 404 });
    try {
      const bytes = await readFile(file);
      return file.endsWith('.html') ? html(bytes.toString('utf8')) : asset(file, bytes);
    } catch {
      return new Response('not found', { status: 404 });
    }
  });
}

const common = { 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer' };

function html(text: string): Response {
  const nonce = randomBytes(16).toString('base64');
  return new Response(text.replace('__STYLE_NONCE__', nonce), {
    headers: {
      ...common,
      'Content-Type': contentType('.html'),
      'Content-Security-Policy': contentSecurityPolicy(nonce),
      'Cache-Control': 'no-store',
    },
  });
}

function asset(file: string, bytes: Uint8Array): Response {
  return new Response(new Uint8Array(bytes), {
    headers: { ...common, 'Content-Type': contentType(file), 'Cache-Control': 'max-age=31536000, immutable' },
  });
}
