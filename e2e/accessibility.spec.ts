// axe over every view in both themes: names, roles, contrast, order of headings.
import { finishedPair, view, views } from './steps.ts';
import { axeFaults } from './support/axe.ts';
import { expect, test } from './support/test.ts';

test('axe finds nothing in any view, in either theme', async ({ dyno }) => {
  test.slow();
  const { page } = dyno;
  await finishedPair(dyno);
  const found: string[] = [];
  const check = async (name: string) => {
    for (const line of await axeFaults(dyno)) found.push(`${name}: ${line}`);
  };
  for (const name of views.filter((each) => each !== 'Compare')) {
    await view(dyno, name);
    await expect(page.getByRole('main')).not.toBeEmpty();
    await check(name);
  }
  await view(dyno, 'Compare');
  await expect(page.getByTestId('verdict')).toBeVisible({ timeout: 20_000 });
  await check('Compare');
  await page.keyboard.press('Control+Shift+P');
  await expect(page.getByPlaceholder('Run a command')).toBeVisible();
  await check('Command palette');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toBeVisible();
  await check('Shortcuts');
  expect(found).toEqual([]);
});

test('lists and tables are one tab stop; a slash goes to the search of the view', async ({ dyno, cli }) => {
  const { page } = dyno;
  expect((await cli(['bench', 'labs/dynamic_router:dynamic_router', '--set', 'requests=50'])).status).toBe(0);
  await view(dyno, 'Run');
  const catalogue = page.getByRole('navigation', { name: 'Catalogue' });
  const search = page.getByLabel('Search the catalogue');
  await expect(search).toBeVisible();
  await page.keyboard.press('/');
  await expect(search).toBeFocused();
  await expect(catalogue.locator('button:not([tabindex="-1"])')).toHaveCount(1);
  await page.keyboard.press('Tab');
  const focused = page.locator(':focus');
  const first = (await focused.textContent()) ?? '';
  await page.keyboard.press('ArrowDown');
  await expect(focused).not.toHaveText(first);
  await page.keyboard.press('End');
  await expect(catalogue.getByRole('button').last()).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(catalogue.getByRole('button').last()).toHaveAttribute('aria-current', 'true');

  await view(dyno, 'History');
  const rows = page.getByTestId('history').locator('tr[data-run]');
  await expect(rows).toHaveCount(2);
  await expect(rows.locator(':is(button, input):not([tabindex="-1"])')).toHaveCount(1);
  await rows.first().getByRole('checkbox').focus();
  await page.keyboard.press('ArrowDown');
  await expect(rows.nth(1).getByRole('checkbox')).toBeFocused();
  await page.keyboard.press('Space');
  await expect(rows.nth(1).getByRole('checkbox')).toBeChecked();
  await page.keyboard.press('ArrowRight');
  await expect(rows.nth(1).locator(':focus')).toHaveRole('button');
});
