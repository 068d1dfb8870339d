// Each view is the first that a new user opens, on an empty home: nothing is stored yet, in the window or on disk.
import { view } from './steps.ts';
import { expect, test } from './support/test.ts';

const names = [
  'Home',
  'Run',
  'Live',
  'Compare',
  'Sweeps',
  'Roofline',
  'Captures',
  'Queues',
  'History',
  'Doctor',
  'Settings',
] as const;

for (const name of names) {
  test(`${name} opens first on an empty home`, async ({ dyno }) => {
    await view(dyno, name);
    await expect(dyno.page.getByRole('main').or(dyno.page.getByTestId('frame')).first()).not.toBeEmpty();
    await expect(dyno.page.getByText(/could not be drawn/)).toHaveCount(0);
  });
}
