import { type IpcMainInvokeEvent, ipcMain } from 'electron';
import { type Channel, type ChannelParams, channels } from '../contract/channels.ts';
import { pageOrigin } from './pagePath.ts';

/** Only the top frame of our own page may call. */
export function isOurPage(frame: IpcMainInvokeEvent['senderFrame']): boolean {
  if (frame === null || frame.parent !== null) return false;
  return frame.url === pageOrigin || frame.url.startsWith(`${pageOrigin}/`);
}

/** One channel: the sender is checked, then the argument; what does not fit is refused with its reason. */
export function handle<C extends Channel>(
  channel: C,
  answer: (params: ChannelParams<C>, event: IpcMainInvokeEvent) => unknown,
): void {
  ipcMain.handle(channel, (event, ...args: unknown[]) => {
    if (!isOurPage(event.senderFrame)) throw new Error(`${channel}: refused, the sender is not the page`);
    if (args.length !== 1)
      throw new Error(`${channel}: refused, one argument was expected, ${args.length} came`);
    const parsed = channels[channel].safeParse(args[0]);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new Error(
        `${channel}: refused, ${issue?.path.join('.') || 'argument'}: ${issue?.message ?? 'malformed'}`,
      );
    }
    return answer(parsed.data as ChannelParams<C>, event);
  });
}
