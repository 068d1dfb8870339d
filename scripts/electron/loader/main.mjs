// `electron [-r MODULE]… [SWITCHES] FOLDER [ARGUMENTS]`: what the default app of a stock Electron does with a folder.
// The fallback runtime comes without that app. An ES module on purpose: Electron waits for its top-level await, so that
// an app written as an ES module can still register its schemes before `ready`.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { app as publicApp } from 'electron';

// setVersion, setAppPath and setDesktopName are there, but not in the public types.
const app = /** @type {any} */ (publicApp);

const args = process.argv.slice(1);
/** @type {string[]} */
const required = [];
let folder;
while (args.length > 0 && folder === undefined) {
  const arg = args.shift() ?? '';
  if (arg === '-r' || arg === '--require') required.push(args.shift() ?? '');
  else if (!arg.startsWith('-')) folder = resolve(arg);
}

if (folder === undefined) {
  console.error('usage: electron FOLDER');
  app.exit(2);
} else {
  Object.defineProperty(process, 'defaultApp', { value: true, enumerable: true });
  const description = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (description.version) app.setVersion(description.version);
  app.setName(description.productName ?? description.name);
  app.setDesktopName?.(description.desktopName ?? `${app.name}.desktop`);
  app.setAppPath(folder);
  const main = join(folder, description.main ?? 'index.js');
  const require = createRequire(main);
  for (const name of required) require(resolve(name));
  await import(pathToFileURL(main).href);
}
