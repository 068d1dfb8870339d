import { contextBridge, type IpcRendererEvent, ipcRenderer, webUtils } from 'electron';
import type { Bridge, HostState } from '../contract/bridge.ts';
import type { Channel, ChannelParams, IpcAnswer } from '../contract/channels.ts';

const invoke = async <C extends Channel>(channel: C, params: ChannelParams<C>): Promise<unknown> => {
  const answer: IpcAnswer = await ipcRenderer.invoke(channel, params);
  if (!answer.ok) throw new Error(answer.message);
  return answer.value;
};

/** Main answers these with a chosen path or null. */
const invokePath = async <C extends Channel>(
  channel: C,
  params: ChannelParams<C>,
): Promise<string | null> => {
  const answer = await invoke(channel, params);
  return typeof answer === 'string' ? answer : null;
};

const invokeVoid = async <C extends Channel>(channel: C, params: ChannelParams<C>): Promise<void> => {
  await invoke(channel, params);
};

const versionArgument = process.argv.find((argument) => argument.startsWith('--dyno-version='));

let hostState: HostState = { state: 'up' };
const hostListeners = new Set<(state: HostState) => void>();
ipcRenderer.on('dyno:host-state', (_event: IpcRendererEvent, state: HostState) => {
  hostState = state;
  for (const listener of hostListeners) listener(state);
});

const bridge: Bridge = {
  chooseSavePath: (options) => invokePath('dyno:choose-save-path', options),
  chooseOpenPath: (options) =>
    invokePath('dyno:choose-open-path', { ...options, extensions: [...options.extensions] }),
  pathOfFile: (file) => {
    const path = file instanceof File ? webUtils.getPathForFile(file) : '';
    // Main passes on to the host that it may be read; the messages of one process keep their order.
    // A refusal comes back from the host as the reason why the file cannot be read.
    if (path !== '') void invokeVoid('dyno:dropped-file', { path }).catch(() => undefined);
    return path;
  },
  writeFile: async (grant, bytes) =>
    String(await invoke('dyno:write-file', { grant, bytes: new Uint8Array(bytes) })),
  printReport: async ({ baseline, optimized }, grant) => {
    const answer = await invoke('dyno:print-report', { baseline, optimized, grant });
    if (typeof answer !== 'object' || answer === null || !('path' in answer) || !('bytes' in answer))
      throw new Error('dyno:print-report: the answer has no path');
    return { path: String(answer.path), bytes: Number(answer.bytes) };
  },
  showInFolder: (path) => invokeVoid('dyno:show-in-folder', { path }),
  copyText: (text) => invokeVoid('dyno:copy-text', { text }),
  onMenuCommand: (listener) => {
    const forward = (_event: IpcRendererEvent, command: string) => listener(command);
    ipcRenderer.on('dyno:menu-command', forward);
    return () => ipcRenderer.off('dyno:menu-command', forward);
  },
  onHostState: (listener) => {
    hostListeners.add(listener);
    listener(hostState);
    return () => hostListeners.delete(listener);
  },
  setTheme: (theme) => invokeVoid('dyno:set-theme', { theme }),
  versions: {
    dyno: versionArgument?.slice('--dyno-version='.length) ?? '',
    electron: process.versions.electron ?? '',
    chromium: process.versions.chrome ?? '',
    node: process.versions.node,
  },
};

contextBridge.exposeInMainWorld('dyno', bridge);

// A MessagePort cannot cross the context bridge; the page takes it from this event.
ipcRenderer.on('dyno:host-port', (event: IpcRendererEvent) => {
  window.postMessage('dyno:host-port', window.location.origin, event.ports);
});

// The page's word that it takes input; main prints it as a timing.
window.addEventListener('dyno:interactive', () => ipcRenderer.send('dyno:interactive'), { once: true });
