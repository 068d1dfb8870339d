// Settings: how the window looks is kept; tool paths and the runs folder count for window and command line.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerDialogs, pictures, view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('theme, density and palette at once, and after a reload', async ({ dyno }) => {
  const { page } = dyno;
  await view(dyno, 'Settings');
  await expect(page.getByTestId('runs-folder')).toContainText('runs', { timeout: 20_000 });
  await pictures(dyno, 'settings');
  const colour = () =>
    page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--baseline').trim());
  const before = await colour();
  await page.getByRole('radiogroup', { name: 'Palette' }).getByText('High contrast').click();
  await expect.poll(colour).not.toBe(before);
  await page.getByRole('radiogroup', { name: 'Density' }).getByText('Compact').click();
  const size = () => page.evaluate(() => getComputedStyle(document.body).fontSize);
  await expect.poll(size).toBe('12px');
  await pictures(dyno, 'settings-contrast');
  await page.reload();
  await expect.poll(size).toBe('12px');
  expect(await colour()).not.toBe(before);
});

test('a chosen profiler is used by the window and the doctor; one that does not answer is refused', async ({
  dyno,
  home,
  cli,
}) => {
  const { page } = dyno;
  const tool = join(home, 'my-nsys');
  writeFileSync(tool, '#!/bin/sh\necho "NVIDIA Nsight Systems version 2031.2.3.4-made-up"\n');
  chmodSync(tool, 0o755);
  const broken = join(home, 'broken');
  writeFileSync(broken, '#!/bin/sh\necho hello\n');
  chmodSync(broken, 0o755);
  await view(dyno, 'Settings');
  await answerDialogs(dyno, { open: broken });
  await page.getByRole('button', { name: 'Choose nsys…' }).click();
  await expect(page.getByText('does not print a version')).toBeVisible();
  await answerDialogs(dyno, { open: tool });
  await page.getByRole('button', { name: 'Choose nsys…' }).click();
  await expect(page.getByTestId('path-nsys')).toHaveText(tool);
  await view(dyno, 'Doctor');
  await expect(page.getByTestId('doctor')).toContainText('2031.2.3.4-made-up', { timeout: 20_000 });
  expect((await cli(['doctor', '--json'])).stdout).toContain('2031.2.3.4-made-up');
});

test('another runs folder counts from the next start on', async ({ dyno, home, cli }) => {
  const { page } = dyno;
  const other = join(home, 'elsewhere');
  mkdirSync(other);
  await view(dyno, 'Settings');
  await answerDialogs(dyno, { open: other });
  await page.getByRole('button', { name: 'Choose folder…' }).click();
  await expect(page.getByTestId('next-runs-folder')).toContainText(other);
  const run = await cli(['run', 'labs/dynamic_router:dynamic_router', '--set', 'requests=50', '--json']);
  expect(run.status).toBe(0);
  expect(run.stdout).toContain(other);
  await page.getByRole('button', { name: 'Default', exact: true }).click();
  await expect(page.getByTestId('next-runs-folder')).toHaveCount(0);
});
