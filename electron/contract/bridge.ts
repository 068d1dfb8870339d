/**
 * The one bridge between the sandboxed renderer and main, as `window.dyno`. The MessagePort to the host arrives once per
 * load as a `message` event on `window` with data `dyno:host-port`; everything else about runs goes over that port.
 */
export interface Bridge {
  /** A save dialog; a grant to write the chosen file, or null. The page never names a file that it writes. */
  chooseSavePath(options: {
    readonly title: string;
    readonly suggestedName: string;
    readonly extension: string;
  }): Promise<string | null>;
  /** An open dialog for a trace or bundle; the chosen absolute path, which may be read from now on, or null. */
  chooseOpenPath(options: {
    readonly title: string;
    readonly extensions: readonly string[];
    readonly folder?: boolean;
  }): Promise<string | null>;
  /** Path of a file dropped on the window (a DOM `File`), which may be read from now on; empty where it has none. */
  pathOfFile(file: { readonly name: string; readonly size: number }): string;
  /** Writes bytes made in the renderer (a chart's PNG) by a grant; returns the path. */
  writeFile(grant: string, bytes: Uint8Array): Promise<string>;
  /** Prints the report of two runs as a PDF, by a grant. */
  printReport(
    runs: { readonly baseline: string; readonly optimized: string },
    grant: string,
  ): Promise<{ readonly path: string; readonly bytes: number }>;
  showInFolder(path: string): Promise<void>;
  copyText(text: string): Promise<void>;
  /** Commands chosen in the application menu; returns the unsubscribe. */
  onMenuCommand(listener: (command: string) => void): () => void;
  /** The host process as main sees it; the latest state comes at once. Returns the unsubscribe. */
  onHostState(listener: (state: HostState) => void): () => void;
  /** `dark`, `light` or `system`. */
  setTheme(theme: 'dark' | 'light' | 'system'): Promise<void>;
  readonly versions: {
    readonly dyno: string;
    readonly electron: string;
    readonly chromium: string;
    readonly node: string;
  };
}

/**
 * `restarting`: it ended and is being started again. `gone`: it ended three times within a minute and stays down. `closing`:
 * Dyno ends, and the host seals what goes on.
 */
export type HostState =
  | { readonly state: 'up' }
  | { readonly state: 'closing' }
  | { readonly state: 'restarting' | 'gone'; readonly exitCode: number; readonly detail: string };
