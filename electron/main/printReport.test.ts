import { beforeEach, describe, expect, it, vi } from 'vitest';

/** What printReport asks of Electron, written down. */
interface Handlers {
  before: (details: { url: string; resourceType: string }, answer: (found: unknown) => void) => void;
  permission: (contents: unknown, permission: string, answer: (granted: boolean) => void) => void;
  check: () => boolean;
  device: () => boolean;
  serve: () => Response;
  webPreferences: Record<string, unknown>;
  partition: string;
  navigation: (event: { preventDefault(): void }) => void;
}
let seen: Partial<Handlers> & { isServed: boolean; isDestroyed: boolean };
let load: () => Promise<void>;

vi.mock('electron', () => ({
  app: {},
  shell: {},
  session: {
    fromPartition: (partition: string) => {
      seen.partition = partition;
      return {
        setPermissionRequestHandler: (handler: Handlers['permission']) => {
          seen.permission = handler;
        },
        setPermissionCheckHandler: (handler: Handlers['check']) => {
          seen.check = handler;
        },
        setDevicePermissionHandler: (handler: Handlers['device']) => {
          seen.device = handler;
        },
        webRequest: {
          onBeforeRequest: (handler: Handlers['before']) => {
            seen.before = handler;
          },
        },
        protocol: {
          handle: (_scheme: string, serve: () => Response) => {
            seen.serve = serve;
            seen.isServed = true;
          },
          unhandle: () => {
            seen.isServed = false;
          },
        },
      };
    },
  },
  BrowserWindow: class {
    readonly webContents = {
      on: (event: string, listener: Handlers['navigation']) => {
        if (event === 'will-frame-navigate') seen.navigation = listener;
      },
      printToPDF: () => Promise.resolve(new Uint8Array([37, 80, 68, 70])),
    };
    constructor(options: { readonly webPreferences: Record<string, unknown> }) {
      seen.webPreferences = options.webPreferences;
    }
    loadURL() {
      return load();
    }
    destroy() {
      seen.isDestroyed = true;
    }
  },
}));
const { printReport } = await import('./printReport.ts');

beforeEach(() => {
  seen = { isServed: false, isDestroyed: false };
  load = () => Promise.resolve();
});

const isCancelled = (url: string, resourceType: string): unknown => {
  let answered: unknown;
  seen.before?.({ url, resourceType }, (found) => {
    answered = found;
  });
  return answered;
};

describe('a report that is printed', () => {
  it('runs no script, has a session of its own without Node, and stays where it is', async () => {
    expect(await printReport('<p>report</p>')).toHaveLength(4);
    expect(seen.partition).toBe('report');
    expect(seen.webPreferences).toMatchObject({
      javascript: false,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      partition: 'report',
    });
    expect(seen.webPreferences).not.toHaveProperty('preload');
    const event = { preventDefault: vi.fn() };
    seen.navigation?.(event);
    expect(event.preventDefault).toHaveBeenCalled();
  });

  it('loads itself and nothing else: no file, no picture, no page of the network', async () => {
    await printReport('<p>report</p>');
    expect(isCancelled('dyno-report://report/', 'mainFrame')).toEqual({ cancel: false });
    for (const [url, type] of [
      ['dyno-report://report/', 'subFrame'],
      ['dyno-report://report/other', 'mainFrame'],
      ['file:///etc/passwd', 'mainFrame'],
      ['file:///etc/passwd', 'image'],
      ['https://example.org/pixel.png', 'image'],
      ['http://127.0.0.1:1234/', 'xhr'],
    ] as const)
      expect(isCancelled(url, type), url).toEqual({ cancel: true });
  });

  it('says so in its policy too', async () => {
    await printReport('<p>report</p>');
    const answer = seen.serve?.();
    const policy = answer?.headers.get('Content-Security-Policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('script-src');
    expect(policy).not.toMatch(/https?:|file:|\*/);
    expect(await answer?.text()).toBe('<p>report</p>');
  });

  it('gets no permission', async () => {
    await printReport('<p>report</p>');
    for (const permission of ['media', 'geolocation', 'notifications', 'fileSystem']) {
      const answer = vi.fn();
      seen.permission?.({}, permission, answer);
      expect(answer).toHaveBeenCalledExactlyOnceWith(false);
    }
    expect(seen.check?.()).toBe(false);
    expect(seen.device?.()).toBe(false);
  });

  it('that is too large is refused before a window is made', async () => {
    await expect(printReport('x'.repeat(64 * 2 ** 20 + 1))).rejects.toThrow('too large to print');
    expect(seen.partition).toBeUndefined();
  });

  it('leaves no window and no address behind, also where it cannot be loaded', async () => {
    load = () => Promise.reject(new Error('ERR_FAILED'));
    await expect(printReport('<p>report</p>')).rejects.toThrow('ERR_FAILED');
    expect(seen).toMatchObject({ isServed: false, isDestroyed: true });
  });
});
