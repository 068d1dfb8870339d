// Packages the built app with electron-builder, around the Electron that is used here: nothing is downloaded for `dir`.
//   npm run dist:dir       dist/linux-unpacked
//   npm run dist           the installers of this platform (their tools are downloaded by electron-builder)
//   --for-test             also around a runtime that must not be shipped; the folder is dist/for-test
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireElectron } from './electron/runtime.mjs';
import { notices, noticesFile } from './notices.mjs';
import { root } from './project.mjs';
import { runMain, SetupFailure } from './say.mjs';

/**
 * The runtime of the npm registry is years old and gets no security fixes: good for tests, not for users.
 * @param {import('./electron/runtime.mjs').ElectronRuntime} runtime
 */
export function requireShippable(runtime) {
  if (runtime.source !== 'fallback') return;
  throw new SetupFailure(
    `dist: Electron ${runtime.version} is the fallback of the npm registry and end-of-life: it is never packaged. Get the one of package.json: \`npm run setup\` where its download can be reached, or name its folder in ELECTRON_OVERRIDE_DIST_PATH.`,
  );
}

/**
 * @param {import('./electron/runtime.mjs').ElectronRuntime} runtime
 * @param {boolean} isTest
 * @returns {import('electron-builder').Configuration}
 */
function configuration(runtime, isTest) {
  return {
    appId: 'dev.dyno.workbench',
    productName: 'Dyno',
    copyright: 'Dyno contributors, MIT',
    directories: { output: isTest ? 'dist/for-test' : 'dist', buildResources: 'assets' },
    electronVersion: runtime.version,
    electronDist: runtime.folder,
    files: [
      'package.json',
      'LICENSE',
      'out/THIRD-PARTY-NOTICES.txt',
      'out/*.{mjs,cjs}',
      'out/renderer/**',
      '!**/*.map',
      'assets/**',
      'native/build/dyno.node',
      'native/build/kernels/**/*.{fatbin,cu}',
    ],
    asar: true,
    // What dlopen opens must be a file, and libduckdb.so must lie beside the binding that links to it.
    asarUnpack: ['native/build/**', '**/*.node', 'node_modules/@duckdb/node-bindings*/**'],
    // Beside the executable, where a person looks for them; the same text is inside the archive.
    extraFiles: [
      { from: 'LICENSE', to: 'LICENSE.dyno.txt' },
      { from: 'out/THIRD-PARTY-NOTICES.txt', to: 'THIRD-PARTY-NOTICES.txt' },
    ],
    npmRebuild: false,
    electronFuses: {
      // On, where the hardening lists say off: a run is a plain process of this executable started as Node, because
      // only such a process can be wrapped by a profiler, and killed without taking anything else along.
      runAsNode: true,
      enableNodeOptionsEnvironmentVariable: false,
      enableNodeCliInspectArguments: false,
      enableCookieEncryption: true,
      // Where the platform has it: macOS and Windows, whose executables carry the archive's digest. Linux has no place for it.
      enableEmbeddedAsarIntegrityValidation: true,
      onlyLoadAppFromAsar: true,
      loadBrowserProcessSpecificV8Snapshot: false,
      grantFileProtocolExtraPrivileges: false,
    },
    // The fallback runtime's loader for app folders has no place beside the packaged app.
    afterPack: ({ appOutDir }) => rm(join(appOutDir, 'resources/app'), { recursive: true, force: true }),
    linux: { target: ['AppImage', 'deb', 'tar.gz'], category: 'Development', executableName: 'dyno' },
    mac: { target: ['dmg', 'zip'], category: 'public.app-category.developer-tools' },
    win: { target: ['nsis', 'zip'] },
    deb: { depends: ['libnss3', 'libgbm1', 'libgtk-3-0', 'libasound2', 'libxss1', 'xdg-utils'] },
  };
}

async function main() {
  const isTest = process.argv.includes('--for-test');
  const runtime = requireElectron();
  if (!isTest) requireShippable(runtime);
  const { build, Platform } = await import('electron-builder');
  await writeFile(noticesFile, notices().text);
  const isFolder = process.argv.includes('--dir');
  const targets = isFolder ? Platform.current().createTarget('dir') : undefined;
  await build({
    ...(targets ? { targets } : {}),
    projectDir: root,
    publish: 'never',
    config: configuration(runtime, isTest),
  });
}

if (import.meta.filename === process.argv[1]) await runMain(main);
