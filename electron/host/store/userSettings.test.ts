import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runsFolder } from './runsFolder.ts';
import { readUserSettings, settingsFile, writeUserSettings } from './userSettings.ts';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dyno-settings-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('without a file nothing is set, and runs lie in the home folder', () => {
  expect(readUserSettings(home)).toEqual({ version: 1, tools: {} });
  expect(runsFolder({ DYNO_HOME: home })).toBe(join(home, 'runs'));
});

test('what was set is read again, and the runs folder follows it', async () => {
  await writeUserSettings(home, { version: 1, tools: { nsys: '/opt/nsys' }, runs_folder: '/data/runs' });
  expect(readUserSettings(home).tools).toEqual({ nsys: '/opt/nsys' });
  expect(runsFolder({ DYNO_HOME: home })).toBe('/data/runs');
});

test.each([
  ['{', 'not JSON'],
  ['{"version":1,"tools":{"nsys":"nsys"}}', 'tools.nsys: expected an absolute path'],
  ['{"version":2}', 'version'],
])('%s is one line that names the file', (text, said) => {
  writeFileSync(settingsFile(home), text);
  expect(() => readUserSettings(home)).toThrow(said);
  expect(() => readUserSettings(home)).toThrow('settings.json');
});
