// Engine http in the window: servers are named, probed and driven, and what they tell is said.
import type { Page } from '@playwright/test';
import { pictures, runBar, startRun, view } from './steps.ts';
import { startScriptedServer } from './support/scriptedServer/scriptedServer.ts';
import { expect, test } from './support/test.ts';

const capability = (page: Page, server: number, id: string) =>
  page.getByTestId(`server-${server}`).locator(`[data-capability="${id}"]`);

async function setNumber(page: Page, label: string, value: number): Promise<void> {
  const input = page.getByRole('textbox', { name: label, exact: true });
  await input.fill(String(value));
  await input.blur();
}

test('servers are probed, driven from the form, and what measured them is shown', async ({ dyno }) => {
  test.setTimeout(120_000);
  const { page } = dyno;
  const rich = await startScriptedServer({ kvEvents: {}, perRequestMetrics: true, cost: { itlMs: 3 } });
  const poor = await startScriptedServer({ reportsCached: false, metrics: false, cost: { itlMs: 3 } });
  const closing = await startScriptedServer();
  await closing.close();
  await view(dyno, 'Run');
  const engines = page.getByRole('radiogroup', { name: 'Engine' });
  await engines.getByText('http', { exact: true }).click();
  const panel = page.getByTestId('servers-panel');
  await expect(panel).toContainText('a URL was expected');
  await expect(page.getByRole('button', { name: 'Run A/B' })).toBeDisabled();

  await page.getByLabel('URL of server 1').fill('no url');
  await expect(panel).toContainText('"no url" is no URL, expected http://HOST:PORT');
  await page.getByLabel('URL of server 1').fill(rich.url);
  await page.getByLabel('Name of server 1').fill('rich');
  await page.getByLabel('KV events of server 1').fill(rich.kv?.endpoint ?? '');
  for (const [i, url] of [poor.url, closing.url].entries()) {
    await panel.getByRole('button', { name: 'Add a server' }).click();
    await page.getByLabel(`URL of server ${i + 2}`).fill(url);
  }
  await panel.getByRole('button', { name: 'Probe' }).click();

  await expect(page.getByTestId('server-0').getByTestId('server-findings')).toContainText('model scripted', {
    timeout: 30_000,
  });
  for (const id of ['token_prompts', 'exact_tokens', 'cached_tokens', 'server_times', 'metrics', 'kv_events'])
    await expect(capability(page, 0, id)).toHaveAttribute('data-state', 'yes');
  await expect(capability(page, 1, 'cached_tokens')).toHaveAttribute('data-state', 'no');
  await expect(capability(page, 1, 'cached_tokens')).toContainText('--enable-prompt-tokens-details');
  await expect(capability(page, 1, 'metrics')).toHaveAttribute('data-state', 'no');
  await expect(page.getByTestId('server-2')).toContainText('nothing listens there (connection refused)');
  await pictures(dyno, 'servers');

  await page.getByRole('button', { name: 'Remove server 3' }).click();
  await expect(page.getByTestId('server-2')).toHaveCount(0);
  await expect(page.getByText('--engine http')).toContainText(`--server ${rich.url},name=rich`);

  await page.getByRole('combobox', { name: 'Traffic', exact: true }).click();
  await page.getByRole('option', { name: /Closed loop/ }).click();
  await setNumber(page, 'Clients', 4);
  await setNumber(page, 'Requests of each', 3);
  await setNumber(page, 'Start over', 0);
  await setNumber(page, 'Prompt, median', 60);
  await setNumber(page, 'Output, median', 6);
  await startRun(dyno, 'Run A/B');
  await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 60_000 });
  // Requests of the traffic belong to a client; those of the probe and of the profile to none.
  const own = [rich, poor].flatMap(({ served }) =>
    served.filter(({ ask }) => ask.http.headers.has('x-session-affinity')),
  );
  expect(own).toHaveLength(24);
  // What the load generator itself was like is there beside the figures, in Live and in Compare.
  const errors = page.getByTestId('client-errors');
  await expect(errors.locator('[data-error="self_test_ttft"]')).toContainText(/\d/);
  await expect(errors.locator('[data-error="schedule_delay"]')).toContainText(/\d/);
  await pictures(dyno, 'servers-live');
  await page.getByRole('button', { name: 'Compare', exact: true }).first().click();
  await view(dyno, 'Compare');
  const table = page.getByTestId('client-table');
  await expect(table.getByRole('row')).toHaveCount(3, { timeout: 20_000 });
  await expect(table).toContainText('cache_salt');
  await table.scrollIntoViewIfNeeded();
  await pictures(dyno, 'servers-compare');

  // Another target begins with the servers that were used last.
  await view(dyno, 'Run');
  await page.getByRole('button', { name: /Routing by complexity/ }).click();
  await page.getByRole('radiogroup', { name: 'Engine' }).getByText('http', { exact: true }).click();
  await expect(page.getByLabel('URL of server 2')).toHaveValue(poor.url);
  for (const server of [rich, poor]) await server.close();
});
