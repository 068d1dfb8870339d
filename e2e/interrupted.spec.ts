// A run that fails never ends the window.
import { choosePace, pointsOf, runBar, runnerPid, startRun, view } from './steps.ts';
import { expect, test } from './support/test.ts';

test('a killed runner leaves an interrupted run with its rows, and the next run works', async ({ dyno }) => {
  const { page } = dyno;
  await choosePace(dyno, 'Watch at 60×');
  await startRun(dyno, 'Run baseline');
  await expect.poll(() => pointsOf(dyno, 'ttft'), { timeout: 20_000 }).toBeGreaterThan(20);
  process.kill(await runnerPid(dyno), 'SIGKILL');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'failed', { timeout: 15_000 });
  await expect(
    page.locator('.mantine-Notification-root').filter({ hasText: 'was interrupted' }),
  ).toBeVisible();

  await view(dyno, 'History');
  await expect(page.getByTestId('history').locator('tr[data-run]')).toContainText('interrupted');
  await page.getByRole('button', { name: 'labs/dynamic_router:dynamic_router' }).click();
  await expect(page.getByTestId('live')).toHaveAttribute('data-status', 'interrupted');
  await expect.poll(() => pointsOf(dyno, 'ttft'), { timeout: 15_000 }).toBeGreaterThan(10);

  await choosePace(dyno, 'At full speed');
  await startRun(dyno, 'Run baseline');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 30_000 });
});

test('cancel ends a run at once and keeps it', async ({ dyno }) => {
  const { page } = dyno;
  await choosePace(dyno, 'Watch in real time');
  await startRun(dyno, 'Run baseline');
  await runnerPid(dyno);
  await expect.poll(() => pointsOf(dyno, 'ttft'), { timeout: 20_000 }).toBeGreaterThan(1);
  await page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'cancelled', { timeout: 5_000 });
  await view(dyno, 'History');
  await expect(page.getByTestId('history').locator('tr[data-run]')).toContainText('cancelled');
});

test('a host that ends is started again and says so', async ({ dyno }) => {
  const { page, app } = dyno;
  dyno.expectProblem(/./);
  await expect(page.getByText('no jobs')).toBeVisible();
  const pid = await app.evaluate(
    ({ app: electron }) =>
      electron
        .getAppMetrics()
        .find((metric) => metric.name === 'dyno host' || metric.serviceName === 'dyno host')?.pid ?? 0,
  );
  expect(pid).toBeGreaterThan(0);
  // The banner stands only until the next host answers: what was said is collected, however short that was.
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(window, { said });
    new MutationObserver(() => {
      for (const alert of document.querySelectorAll('[role=alert]')) said.push(alert.textContent ?? '');
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  process.kill(pid, 'SIGKILL');
  const said = () => page.evaluate(() => (window as unknown as { said: string[] }).said.join('\n'));
  await expect.poll(said, { timeout: 20_000 }).toContain('host process ended');
  await expect(page.getByRole('alert')).toHaveCount(0, { timeout: 20_000 });
  await view(dyno, 'Doctor');
  await expect(page.getByTestId('doctor')).toHaveAttribute('data-checks', /[1-9]/, { timeout: 20_000 });
});
