import { PassThrough } from 'node:stream';
import { expect, it, vi } from 'vitest';
import { Control } from './control.ts';

/** A control pipe, and what happened when its host closed it. */
async function afterClose(lines: readonly string[]) {
  const input = new PassThrough();
  const hostGone = vi.fn();
  const control = new Control();
  control.listen(input, hostGone);
  input.end(lines.map((line) => `${line}\n`).join(''));
  await new Promise((resolve) => input.on('close', resolve));
  await vi.waitFor(() => expect(input.destroyed).toBe(true));
  return { control, hostGone };
}

it('a host that closes the pipe cancels the run, and the runner is told that it is alone', async () => {
  const { control, hostGone } = await afterClose(['{"pace":"max"}']);
  expect(control.cancelled).toBe('the host has gone');
  expect(hostGone).toHaveBeenCalledOnce();
});

it('a runner started by hand, with an empty standard input, runs to its end', async () => {
  const { control, hostGone } = await afterClose([]);
  expect(control.cancelled).toBeUndefined();
  expect(hostGone).not.toHaveBeenCalled();
});

it('a run that takes turns waits before a replicate until it may begin', async () => {
  const input = new PassThrough();
  const control = new Control();
  control.listen(input, () => undefined);
  const waits = vi.fn();
  expect(await control.turn(5, waits)).toBe(true);
  expect(waits).not.toHaveBeenCalled();
  input.write('{"turn":0}\n');
  await vi.waitFor(async () => expect(await Promise.race([control.turn(1, waits), false])).toBe(false));
  expect(await control.turn(0, waits)).toBe(true);
  const second = control.turn(1, waits);
  expect(waits).toHaveBeenCalled();
  input.write('{"turn":1}\n');
  expect(await second).toBe(true);
  const third = control.turn(2, waits);
  input.write('{"cancel":true}\n');
  expect(await third).toBe(false);
});
