import { join, normalize, sep } from 'node:path';

export const scheme = 'app';
export const pageOrigin = 'app://dyno';

/** The file that an `app://dyno/…` address names inside `root`; undefined where it names none or would leave the folder. */
export function pagePath(root: string, address: string): string | undefined {
  let url: URL;
  let decoded: string;
  try {
    url = new URL(address);
    decoded = decodeURIComponent(url.pathname);
  } catch {
    return undefined;
  }
  if (
    url.protocol !== `${scheme}:` ||
    url.host !== 'dyno' ||
    decoded.includes('\0') ||
    decoded.includes('\\')
  )
    return undefined;
  const file = normalize(join(root, decoded === '/' ? 'index.html' : decoded));
  return file.startsWith(root.endsWith(sep) ? root : root + sep) ? file : undefined;
}

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  json: 'application/json',
  map: 'application/json',
  woff2: 'font/woff2',
  svg: 'image/svg+xml',
  png: 'image/png',
};

export function contentType(file: string): string {
  return types[file.slice(file.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
}

/** `nonce` admits the style elements that the component library makes; no script may be inline. */
export function contentSecurityPolicy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
  ].join('; ');
}
