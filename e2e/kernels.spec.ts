// Kernel targets in the window, on fake drivers behind the real host, runner and addon: form, live view, comparison, history.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fakeDriver } from '../native/fakeDrivers.ts';
import { root } from '../scripts/project.mjs';
import { answerDialogs, pictures, pointsOf, runBar, view } from './steps.ts';
import { expect, test } from './support/test.ts';
import { type DynoWindow, launchDyno } from './support/window.ts';

const isBuilt = ['fake/libfake_cuda.so', 'fake/libfake_nvml.so', 'kernels/workloads.fatbin'].every((file) =>
  existsSync(join(root, 'native/build', file)),
);
const gpu = [
  'gpus 2',
  ...[0, 1].flatMap((index) => [
    `text ${index} name Fake H200`,
    `text ${index} pci 00000000:${10 + index}:00.0`,
    `set ${index} memoryTotal 150754820096`,
    `set ${index} memoryUsed 9000000000`,
    `set ${index} temperature 41`,
    `set ${index} field.186 112000`,
    `set ${index} gpm.2 37`,
    `set ${index} ancestor 40`,
    ...[0, 1, 2, 3, 4].map((ability) => `set ${index} p2p.${ability} 0`),
    ...[0, 1, 2, 3].map((link) => `set ${index} link.${link}.remote ${1 - index}`),
    `set ${index} field.164 26562`,
    `set ${index} cpuAffinity 255`,
  ]),
];

const choose = async ({ page }: DynoWindow, id: string) => {
  await page.getByRole('navigation', { name: 'Catalogue' }).getByText(id).click();
};

test('without a GPU the form says in one sentence what is missing', async ({ dyno }) => {
  await view(dyno, 'Run');
  await choose(dyno, 'ch17:memory');
  await expect(dyno.page.getByTestId('lacks-gpu')).toContainText('It is measured on an NVIDIA GPU');
  await expect(dyno.page.getByRole('button', { name: 'Run A/B', exact: true })).toBeDisabled();
});

test('kernels from the form to the report', async ({ home, cli }) => {
  test.skip(!isBuilt, 'the native addon or its kernels are not built here');
  const cuda = fakeDriver('fake_cuda', ['devices 2']);
  const nvml = fakeDriver('fake_nvml', gpu);
  const dyno = await launchDyno({ home, env: { DYNO_NVML: nvml.path, DYNO_CUDA: cuda.path } });
  const { page } = dyno;
  try {
    await expect(page.getByTestId('machine-now')).toContainText('Fake H200 ×2');
    await view(dyno, 'Live');
    const topology = page.getByTestId('topology');
    await expect(topology.getByRole('table', { name: 'Links between GPUs' })).toContainText('4 NVLink');
    await expect(topology).toContainText('0-7');
    await pictures(dyno, 'gpu-topology');
    await view(dyno, 'Run');
    await choose(dyno, 'ch17:memory');
    for (const [label, value] of [
      ['Width', '64'],
      ['Rows', '4'],
      ['Batches', '2'],
      ['Rounds', '12'],
    ] as const)
      await page.getByLabel(label, { exact: true }).fill(value);
    await pictures(dyno, 'kernels-form');
    await page.getByRole('button', { name: 'Run A/B', exact: true }).click();
    await expect(runBar(dyno)).toHaveAttribute('data-state', 'done', { timeout: 30_000 });
    await expect(page.getByTestId('kernel-table')).toContainText('✓ right');
    await expect(page.getByTestId('kernel-verdict')).toContainText(/95 % CI|no evidence/i);
    await expect.poll(() => pointsOf(dyno, 'workload')).toBeGreaterThanOrEqual(24);
    await pictures(dyno, 'kernels-live');

    await page.getByTestId('live').getByRole('button', { name: 'Compare', exact: true }).click();
    await expect(page.getByTestId('verification')).toContainText('passed');
    await expect(page.getByTestId('ratio-table')).toContainText('Iteration p50');
    await expect.poll(() => pointsOf(dyno, 'compare-kernels')).toBeGreaterThanOrEqual(24);
    await pictures(dyno, 'kernels-compare');
    const report = join(home, 'kernels.html');
    await answerDialogs(dyno, { save: report });
    await page.getByRole('button', { name: 'Export' }).click();
    await page.getByRole('menuitem', { name: 'Report as HTML…' }).click();
    await expect.poll(() => existsSync(report)).toBe(true);
    await expect.poll(() => readFileSync(report, 'utf8')).toContain('Times of the iterations');

    await view(dyno, 'History');
    await expect(page.getByTestId('history')).toContainText('12 rounds');
    await pictures(dyno, 'kernels-history');
    await view(dyno, 'Home');
    await expect(page.getByText('12 rounds')).toBeVisible();
    await pictures(dyno, 'kernels-home');

    // The probe: what it found stands below its times.
    await view(dyno, 'Run');
    await choose(dyno, 'topology_probe');
    await page.getByLabel('Size', { exact: true }).fill('1');
    await page.getByLabel('Rounds', { exact: true }).fill('6');
    await page.getByRole('button', { name: 'Run A/B', exact: true }).click();
    await expect(page.getByTestId('topology-findings')).toContainText('peer access, directly', {
      timeout: 30_000,
    });
    await pictures(dyno, 'topology-probe');

    // A run that another process makes appears in the history by itself.
    await view(dyno, 'History');
    await expect(page.getByTestId('history')).toHaveAttribute('data-runs', '2');
    const other = await cli(['run', 'dynamic_router', '--set', 'requests=200']);
    expect(other.status).toBe(0);
    await expect(page.getByTestId('history')).toHaveAttribute('data-runs', '3');

    // A driver that fails on the way: a notice with its code, and a failed run.
    writeFileSync(`${cuda.path}.script`, 'devices 2\nfail cuMemAlloc_v2 2\n');
    await view(dyno, 'Run');
    await choose(dyno, 'ch17:memory');
    await page.getByRole('button', { name: 'Run optimized', exact: true }).click();
    await expect(page.getByText(/CUDA_ERROR_OUT_OF_MEMORY/).first()).toBeVisible({ timeout: 20_000 });
  } finally {
    await dyno.close();
    cuda.remove();
    nvml.remove();
  }
});
