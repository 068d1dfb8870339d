// A long history in the window: its first rows, how many rows the page holds, what the host takes. `npm run attack --
// --window` does it with 10,000 bundles and prints the figures.
import { fillHistory } from '../scripts/attack/scale.mjs';
import { view } from './steps.ts';
import { expect, test } from './support/test.ts';
import { type DynoWindow, launchDyno } from './support/window.ts';

const bundles = Number(process.env['DYNO_ATTACK_BUNDLES'] ?? 500);

test('the history of many runs shows its first rows, and only the rows that can be seen', async ({
  home,
}, info) => {
  test.setTimeout(180_000);
  fillHistory(home, bundles);
  const firstRowsMs = async (dyno: DynoWindow): Promise<number> => {
    await expect(dyno.page.getByTestId('run-bar')).toBeVisible();
    const begin = performance.now();
    await view(dyno, 'History');
    const rows = dyno.page.getByTestId('history').locator('tr[data-run]');
    await expect(rows.first()).toBeVisible({ timeout: 60_000 });
    const ms = Math.round(performance.now() - begin);
    expect(await rows.count()).toBeLessThan(200);
    return ms;
  };
  // The first start after the bundles came, from wherever: each of them is read, and the index is written.
  const first = await launchDyno({ home });
  const withoutIndexMs = await firstRowsMs(first).finally(() => first.close());
  const dyno = await launchDyno({ home });
  try {
    const firstMs = await firstRowsMs(dyno);
    const hostKib = await dyno.app.evaluate(
      ({ app }) =>
        app.getAppMetrics().find(({ name, serviceName }) => [name, serviceName].includes('dyno host'))?.memory
          .workingSetSize ?? 0,
    );
    expect(hostKib).toBeGreaterThan(0);
    const figures = [
      `${bundles} bundles in the window, first rows|${firstMs} ms|≤ 1,000 ms`,
      `${bundles} bundles in the window, first rows without the index|${withoutIndexMs} ms|–`,
      `${bundles} bundles in the window, memory of the host|${Math.round(hostKib / 1024)} MiB|≤ 300 MiB`,
    ];
    for (const description of figures) info.annotations.push({ type: 'figure', description });
  } finally {
    await dyno.close();
  }
});
