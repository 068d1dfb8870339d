// Each view is the first that a new user opens, on an empty home: nothing is stored yet, in the window or on disk.
import { view, views } from './steps.ts';
import { expect, test } from './support/test.ts';

for (const name of views) {
  test(`${name} opens first on an empty home`, async ({ dyno }) => {
    await view(dyno, name);
    await expect(dyno.page.getByRole('main').or(dyno.page.getByTestId('frame')).first()).not.toBeEmpty();
    await expect(dyno.page.getByText(/could not be drawn/)).toHaveCount(0);
  });
}
