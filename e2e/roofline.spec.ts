// The roofline: sliders move points, a click says why, a run and an ncu report add theirs.
import { answerDialogs, finishedPair, pictures, pointsOf, view } from './steps.ts';
import { expect, sharedData, test } from './support/test.ts';

test('sliders move the points; the inspector says what bounds them; a run adds its passes', async ({
  dyno,
}) => {
  const { page } = dyno;
  await finishedPair(dyno);
  // Looking at the comparison takes its notice away.
  await view(dyno, 'Compare');
  await view(dyno, 'Roofline');
  const roofline = page.getByTestId('roofline');
  const intensity = async () => Number(await roofline.getAttribute('data-decode-intensity'));
  await expect.poll(() => pointsOf(dyno, 'roofline')).toBe(2);
  const before = await intensity();
  await page.getByRole('slider', { name: 'Batch' }).press('ArrowRight');
  await expect.poll(intensity).toBeGreaterThan(before);
  await expect(page.getByTestId('point-verdict')).toContainText('bound by HBM bandwidth');
  await page.getByRole('slider', { name: 'Context' }).press('Home');
  await page.getByRole('slider', { name: 'Batch' }).press('End');
  await expect(roofline).toHaveAttribute('data-decode-bound', 'compute');
  await expect(page.getByTestId('turning')).toHaveAttribute('data-turns', 'true');
  await page.getByRole('slider', { name: 'Context' }).press('End');
  await expect(page.getByTestId('turning')).toHaveAttribute('data-turns', 'false');
  await page.getByRole('slider', { name: 'Batch' }).press('Home');
  for (let step = 0; step < 4; step += 1) {
    await page.getByRole('slider', { name: 'Batch' }).press('ArrowRight');
    await page.getByRole('slider', { name: 'Context' }).press('ArrowLeft');
  }

  await page.getByRole('combobox', { name: 'Points of a run' }).click();
  await page.getByRole('option').first().click();
  await expect.poll(async () => Number(await roofline.getAttribute('data-points'))).toBeGreaterThan(2);
  await page
    .getByTestId('points')
    .getByRole('button', { name: /instance 0/ })
    .first()
    .click();
  await expect(page.getByTestId('point')).toContainText('simulated: nothing was measured');
  await pictures(dyno, 'roofline');
});

test('kernels of an ncu report under the roof of its clocks', async ({ dyno }) => {
  const report = sharedData('nsight/h200-saxpy.ncu-rep');
  test.skip(report === undefined, 'the shared data folder is not here');
  const { page } = dyno;
  await answerDialogs(dyno, { open: report ?? '' });
  await view(dyno, 'Roofline');
  await page.getByRole('button', { name: 'Report…' }).click();
  await expect(page.getByTestId('capture')).toHaveAttribute('data-kind', 'ncu', { timeout: 30_000 });
  await pictures(dyno, 'capture-ncu');
  await page.getByRole('button', { name: 'Show on the roofline' }).click();
  await expect(page.getByTestId('point')).toContainText('captured by ncu');
  await expect.poll(() => pointsOf(dyno, 'roofline')).toBeGreaterThan(2);
  await pictures(dyno, 'roofline-captured');
});
