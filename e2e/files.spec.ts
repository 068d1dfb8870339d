// Files as people bring them: dropped on the window, taken for what they are, and asked about where their values do not tell.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pictures } from './steps.ts';
import { expect, test } from './support/test.ts';
import type { DynoWindow } from './support/window.ts';

/** Drops a file of this machine on the window, as a file manager does. */
async function drop({ page }: DynoWindow, path: string): Promise<void> {
  await page.evaluate(() => {
    const input = document.createElement('input');
    input.type = 'file';
    input.id = 'dropped-file';
    document.body.append(input);
  });
  await page.locator('#dropped-file').setInputFiles(path);
  await page.evaluate(() => {
    const input = document.querySelector<HTMLInputElement>('#dropped-file');
    const file = input?.files?.[0];
    if (file === undefined) throw new Error('no file was given');
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(file);
    for (const type of ['dragover', 'drop'])
      document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    input?.remove();
  });
}

const frame = ({ page }: DynoWindow) => page.getByTestId('frame');
const preview = ({ page }: DynoWindow) => page.getByTestId('traffic-preview');

/** One request every 2 ms if its times are ms, one in 2 s if they are s. */
const traceOf = (requests: number, more = ''): string =>
  Array.from(
    { length: requests },
    (_, i) => `{"timestamp": ${i * 2}.5, "input_length": ${100 + i}, "output_length": 12${more}}`,
  ).join('\n');

test('a dropped trace whose unit its values do not tell asks for it; its options choose a part', async ({
  dyno,
  home,
}) => {
  const { page } = dyno;
  const path = join(home, 'unit.jsonl');
  writeFileSync(path, traceOf(400));
  await drop(dyno, path);
  await expect(frame(dyno)).toHaveAttribute('data-view', 'run');
  await expect(preview(dyno).getByRole('alert')).toContainText('--time-unit');

  await page.getByRole('combobox', { name: 'Unit of its times' }).click();
  await page.getByRole('option', { name: 's', exact: true }).click();
  await expect(preview(dyno)).toHaveAttribute('data-requests', '400');
  await pictures(dyno, 'trace-options');

  await page.getByLabel('From (s)').fill('100');
  await page.getByLabel('To (s)').fill('300');
  await expect(preview(dyno)).toHaveAttribute('data-requests', '100');
  await page.getByLabel('First requests only').fill('40');
  await expect(preview(dyno)).toHaveAttribute('data-requests', '40');
  await expect(page.getByRole('button', { name: 'Run A/B' })).toBeEnabled();
});

test('requests without tokens are refused by line, or dropped and counted', async ({ dyno, home }) => {
  const { page } = dyno;
  const path = join(home, 'empty.csv');
  writeFileSync(path, 'Timestamp,Request tokens,Response tokens\n0,10,5\n3,10,0\n6,10,7\n9,12,7\n');
  await drop(dyno, path);
  await expect(preview(dyno).getByRole('alert')).toContainText('empty.csv:3: Response tokens is 0');
  await page.getByRole('checkbox', { name: 'drop and count' }).first().check();
  await expect(preview(dyno)).toHaveAttribute('data-requests', '3');
  await expect(preview(dyno)).toContainText('1 of 4 requests dropped');
});

test('a timeline goes to Captures, and what nothing reads is one line', async ({ dyno, home }) => {
  const { page } = dyno;
  const table = join(home, 'stats.csv');
  writeFileSync(
    table,
    'Start (ns),Duration (ns),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Device,Strm,Name\n1000,200,1,8,1,1,128,1,1,NVIDIA H200 (0),7,gemm_of_a_test\n',
  );
  await drop(dyno, table);
  await expect(frame(dyno)).toHaveAttribute('data-view', 'captures');
  await expect(page.getByText('gemm_of_a_test').first()).toBeVisible();

  const junk = join(home, 'junk.bin');
  writeFileSync(
    junk,
    Uint8Array.from({ length: 3000 }, (_, i) => (i * 7919) % 256),
  );
  await drop(dyno, junk);
  await expect(page.getByText(/junk\.bin: a binary file of a kind that is not known/).first()).toBeVisible();
});
