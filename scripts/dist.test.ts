import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireShippable } from './dist.mjs';
import { packageOf, stylePackages } from './notices.mjs';
import { root } from './project.mjs';

const runtime = { version: '33.2.1', folder: '/x', executable: '/x/electron' };

test('the fallback runtime is never packaged', () => {
  expect(() => requireShippable({ ...runtime, source: 'fallback' })).toThrow('never packaged');
  expect(() => requireShippable({ ...runtime, source: 'electron' })).not.toThrow();
});

test('a source map names the package of each source', () => {
  expect(packageOf('../../node_modules/@mantine/core/esm/index.mjs')).toBe('node_modules/@mantine/core');
  expect(packageOf('../node_modules/a/node_modules/b/index.js')).toBe('node_modules/a/node_modules/b');
  expect(packageOf('../../renderer/App.tsx')).toBeUndefined();
});

test('fonts and style sheets come from packages too', () => {
  const found = [...stylePackages(join(root, 'renderer'))];
  expect(found).toEqual(
    expect.arrayContaining([
      'node_modules/@fontsource-variable/inter',
      'node_modules/@fontsource-variable/jetbrains-mono',
      'node_modules/@mantine/core',
    ]),
  );
});

test('npm checks every package that it installs', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, { readonly integrity?: string; readonly link?: boolean }>>;
  };
  const unchecked = Object.entries(packages).filter(
    ([path, { integrity, link }]) => path !== '' && link !== true && integrity === undefined,
  );
  expect(unchecked.map(([path]) => path)).toEqual([]);
});
