/**
 * The one bridge between the sandboxed renderer and main, as `window.dyno`. The MessagePort to the host arrives once per
 * load as a `message` event on `window` with data `dyno:host-port`; everything else about runs goes over that port.
 */
export interface Bridge {
  /** A save dialog; the chosen absolute path, or null. */
  chooseSavePath(options: {
    readonly title: string;
    readonly suggestedName: string;
    readonly extension: string;
  }): Promise<string | null>;
  /** An open dialog for a trace or bundle; the chosen absolute path, or null. */
  chooseOpenPath(options: {
    readonly title: string;
    readonly extensions: readonly string[];
    readonly folder?: boolean;
  }): Promise<string | null>;
  /** Path of a file dropped on the window (a DOM `File`); empty where it has none. */
  pathOfFile(file: { readonly name: string; readonly size: number }): string;
  /** Writes bytes made in the renderer (a chart's PNG) to a path that a save dialog gave. */
  writeFile(path: string, bytes: Uint8Array): Promise<void>;
  /** Prints an HTML report file to PDF with Chromium. */
  printToPdf(htmlPath: string, pdfPath: string): Promise<void>;
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

/** `restarting`: it ended and is being started again. `gone`: it ended three times within a minute and stays down. */
export type HostState =
  | { readonly state: 'up' }
  | { readonly state: 'restarting' | 'gone'; readonly exitCode: number; readonly detail: string };
