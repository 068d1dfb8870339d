// Packages the built app with electron-builder, around the Electron that is used here: nothing is downloaded for `dir`.
//   npm run dist:dir       dist/linux-unpacked
//   npm run dist           the installers of this platform (their tools are downloaded by electron-builder)
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { requireElectron } from './electron/runtime.mjs';
import { root } from './project.mjs';
import { runMain } from './say.mjs';

/**
 * @param {import('./electron/runtime.mjs').ElectronRuntime} runtime
 * @returns {import('electron-builder').Configuration}
 */
function configuration(runtime) {
  return {
    appId: 'dev.dyno.workbench',
    productName: 'Dyno',
    copyright: 'Dyno contributors, MIT',
    directories: { output: 'dist', buildResources: 'assets' },
    electronVersion: runtime.version,
    electronDist: runtime.folder,
    files: [
      'package.json',
      'out/*.{mjs,cjs}',
      'out/renderer/**',
      '!**/*.map',
      'assets/**',
      'native/build/dyno.node',
      'native/build/kernels/*.fatbin',
    ],
    asar: true,
    // What dlopen opens must be a file, and libduckdb.so must lie beside the binding that links to it.
    asarUnpack: ['native/build/**', '**/*.node', 'node_modules/@duckdb/node-bindings*/**'],
    npmRebuild: false,
    electronFuses: {
      // On, where the hardening lists say off: a run is a plain process of this executable started as Node, because
      // only such a process can be wrapped by a profiler, and killed without taking anything else along.
      runAsNode: true,
      enableNodeOptionsEnvironmentVariable: false,
      enableNodeCliInspectArguments: false,
      enableCookieEncryption: true,
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

await runMain(async () => {
  const { build, Platform } = await import('electron-builder');
  const isFolder = process.argv.includes('--dir');
  const targets = isFolder ? Platform.current().createTarget('dir') : undefined;
  await build({
    ...(targets ? { targets } : {}),
    projectDir: root,
    publish: 'never',
    config: configuration(requireElectron()),
  });
});
