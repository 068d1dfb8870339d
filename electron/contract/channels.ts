import { z } from 'zod';
import { commands } from './commands.ts';

/** IPC between preload and main, behind `Bridge`: each channel with the schema of its one argument. Main checks every call. */
const absolutePath = z.string().min(1).max(4096);
const runId = z.string().min(1).max(200);
const grant = z.string().regex(/^grant-[0-9a-f]{32}$/);

export const channels = {
  'dyno:choose-save-path': z.strictObject({
    title: z.string().max(200),
    suggestedName: z.string().max(200),
    extension: z.string().regex(/^[a-z0-9]{1,12}$/),
  }),
  'dyno:choose-open-path': z.strictObject({
    title: z.string().max(200),
    extensions: z.array(z.string().regex(/^[a-z0-9-]{1,12}$/)).max(20),
    folder: z.boolean().optional(),
  }),
  'dyno:write-file': z.strictObject({ grant, bytes: z.instanceof(Uint8Array) }),
  'dyno:print-report': z.strictObject({ baseline: runId, optimized: runId, grant }),
  /** The preload's word that the user dropped this file on the window. */
  'dyno:dropped-file': z.strictObject({ path: absolutePath }),
  'dyno:show-in-folder': z.strictObject({ path: absolutePath }),
  'dyno:copy-text': z.strictObject({ text: z.string().max(10_000_000) }),
  'dyno:set-theme': z.strictObject({ theme: z.enum(['dark', 'light', 'system']) }),
} as const;
export type Channel = keyof typeof channels;
export type ChannelParams<C extends Channel> = z.infer<(typeof channels)[C]>;

/** Main's answer: errors are values. */
export type IpcAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

/** Main → preload. */
export const menuChannel = 'dyno:menu-command';
export const hostPortChannel = 'dyno:host-port';
export const hostStateChannel = 'dyno:host-state';

export const commandIds: readonly string[] = commands.map((command) => command.id);
