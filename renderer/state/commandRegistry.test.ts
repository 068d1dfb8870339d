import { expect, test } from 'vitest';
import { commands } from '../../electron/contract/commands.ts';
import { viewList } from '../../electron/contract/views.ts';
import { isCommandId } from './commandRegistry.ts';

test('every command of the menu can be run, and every view has one', () => {
  expect(commands.filter(({ id }) => !isCommandId(id))).toEqual([]);
  const ids = commands.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { id } of viewList) expect(ids).toContain(`view.${id}`);
});

test('no two commands share a shortcut', () => {
  const keys = commands.flatMap((command) => command.keys ?? []);
  expect(keys.length).toBeGreaterThan(20);
  expect(new Set(keys).size).toBe(keys.length);
});
