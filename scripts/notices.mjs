// The licences of everything that is shipped, in one text: `node scripts/notices.mjs` writes out/THIRD-PARTY-NOTICES.txt.
//
//   out/**/*.map           which packages the bundles hold
//   renderer/**            which packages its style sheets come from: fonts leave no trace in a source map
//   package-lock.json      what is installed beside them (`dependencies`, with what they need)
//   node_modules/*/LICENSE the words
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { out, root } from './project.mjs';
import { runMain, SetupFailure } from './say.mjs';

export const noticesFile = join(out, 'THIRD-PARTY-NOTICES.txt');

/** Folders of packages whose code the bundles in `folder` hold, by their source maps. @param {string} folder */
export function bundledPackages(folder) {
  const found = new Set();
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.map')) continue;
    const map = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    for (const source of map.sources ?? []) {
      const packagePath = packageOf(String(source));
      if (packagePath !== undefined) found.add(packagePath);
    }
  }
  return found;
}

/** Folders of packages whose style sheets the sources in `folder` import: `import '@fontsource-variable/inter/index.css'`. @param {string} folder */
export function stylePackages(folder) {
  const found = new Set();
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(tsx?|css)$/.test(name)) continue;
    const text = readFileSync(join(folder, name), 'utf8');
    for (const [, specifier = ''] of text.matchAll(/^\s*@?import (?:url\()?['"]([^.'"/][^'"]*\.css)['"]/gm))
      found.add(packageOf(`node_modules/${specifier}`));
  }
  return found;
}

/** Headers that are compiled into the addon. */
const compiledPackages = ['node_modules/node-addon-api', 'node_modules/node-api-headers'];

/** `node_modules/a/node_modules/@b/c` of a path inside it. @param {string} source */
export function packageOf(source) {
  const parts = source.split('/');
  const at = parts.lastIndexOf('node_modules');
  if (at < 0) return undefined;
  const end = parts[at + 1]?.startsWith('@') ? at + 3 : at + 2;
  return parts.slice(parts.indexOf('node_modules'), end).join('/');
}

/** What npm installs for the packaged app: not for development, and there on this machine. */
function installedPackages() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  return Object.entries(packages).flatMap(([path, { dev, devOptional }]) =>
    path !== '' && dev !== true && devOptional !== true && existsSync(join(root, path)) ? [path] : [],
  );
}

const licenceName = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** @param {string} path a package's folder below the project */
function noticeOf(path) {
  const folder = join(root, path);
  const { name, version, license, author, repository } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  const texts = readdirSync(folder)
    .filter((file) => licenceName.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8').trim());
  const by = typeof author === 'string' ? author : (author?.name ?? '');
  const from = typeof repository === 'string' ? repository : (repository?.url ?? '');
  if (license === undefined && texts.length === 0)
    throw new SetupFailure(`${path}: the package names no licence; it must not be shipped`);
  const head = [
    `${name} ${version}`,
    `Licence: ${license ?? 'see below'}`,
    ...(by ? [`By: ${by}`] : []),
    ...(from ? [`From: ${from}`] : []),
  ];
  return [
    ...head,
    '',
    texts.length > 0 ? texts.join('\n\n') : `(The package holds no licence text; its licence is ${license}.)`,
  ].join('\n');
}

/** @returns {{ readonly packages: number; readonly text: string }} */
export function notices() {
  const styles = stylePackages(join(root, 'renderer'));
  const paths = [
    ...new Set([...bundledPackages(out), ...styles, ...compiledPackages, ...installedPackages()]),
  ].sort();
  const rule = '-'.repeat(78);
  const own = readFileSync(join(root, 'LICENSE'), 'utf8').trim();
  const electron =
    'Electron, Chromium and Node.js: see LICENSE.electron.txt and LICENSES.chromium.html beside the executable.';
  const parts = [`Dyno\n\n${own}`, electron, ...paths.map(noticeOf)];
  return { packages: paths.length, text: `${parts.join(`\n\n${rule}\n\n`)}\n` };
}

if (import.meta.filename === process.argv[1])
  await runMain(async () => {
    const { packages, text } = notices();
    writeFileSync(noticesFile, text);
    console.log(`${noticesFile}: ${packages} packages`);
  });
