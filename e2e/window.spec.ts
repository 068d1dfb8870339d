import { expect, test } from './support/test.ts';

test('the window opens', async ({ dyno }) => {
  await expect(dyno.page).toHaveTitle(/Dyno/);
  await dyno.screenshot('window');
});
