import { type IpcMainInvokeEvent, ipcMain } from 'electron';
import { type Channel, type ChannelParams, channels, type IpcAnswer } from '../contract/channels.ts';
import { pageOrigin } from './pagePath.ts';

/** Only the top frame of our own page may call. */
export function isOurPage(frame: IpcMainInvokeEvent['senderFrame']): boolean {
  if (frame === null || frame.parent !== null) return false;
  return frame.url === pageOrigin || frame.url.startsWith(`${pageOrigin}/`);
}

/**
 * One channel: the sender is checked, then the argument; what does not fit is refused with its reason. Refusals and
 * failures cross as values (`IpcAnswer`): the preload throws them in the page, and Electron logs nothing.
 */
export function handle<C extends Channel>(
  channel: C,
  answer: (params: ChannelParams<C>, event: IpcMainInvokeEvent) => unknown,
): void {
  ipcMain.handle(channel, async (event, ...args: unknown[]): Promise<IpcAnswer> => {
    try {
      if (!isOurPage(event.senderFrame)) throw new Error('refused, the sender is not the page');
      if (args.length !== 1) throw new Error(`refused, one argument was expected, ${args.length} came`);
      return { ok: true, value: await answer(paramsOf(channel, args[0]), event) };
    } catch (thrown) {
      return {
        ok: false,
        message: `${channel}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
      };
    }
  });
}

/** @throws where the argument does not fit the channel's schema */
export function paramsOf<C extends Channel>(channel: C, argument: unknown): ChannelParams<C> {
  const parsed = channels[channel].safeParse(argument);
  if (parsed.success) return parsed.data as ChannelParams<C>;
  const issue = parsed.error.issues[0];
  throw new Error(`refused, ${issue?.path.join('.') || 'argument'}: ${issue?.message ?? 'malformed'}`);
}
