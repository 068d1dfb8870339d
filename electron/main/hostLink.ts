import { MessageChannelMain, type UtilityProcess, utilityProcess, type WebContents } from 'electron';
import { z } from 'zod';
import type { HostState } from '../contract/bridge.ts';
import { hostPortChannel, hostStateChannel } from '../contract/channels.ts';
import { hostError } from '../contract/hostError.ts';
import type { ReadableFiles } from './readableFiles.ts';
import { RestartBudget } from './restartBudget.ts';

const reportAnswer = z.union([
  z.object({ kind: z.literal('report'), id: z.int(), html: z.string() }),
  z.object({ kind: z.literal('report'), id: z.int(), error: hostError }),
]);

interface Waiting {
  readonly resolve: (html: string) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The host process and the ports to it. Main only introduces page and host to each other:
 *
 *   page ◄── port ── MessageChannelMain ── port ──► host
 */
export class HostLink {
  private readonly entry: string;
  private readonly readable: ReadableFiles;
  private readonly budget = new RestartBudget();
  private readonly reports = new Map<number, Waiting>();
  private readonly writable = new Map<string, string>();
  private nextId = 1;
  private host: UtilityProcess | undefined;
  private page: WebContents | undefined;
  private tail = '';
  private closing: Promise<void> | undefined;

  constructor(entry: string, readable: ReadableFiles) {
    this.entry = entry;
    this.readable = readable;
  }

  start(): void {
    if (this.closing !== undefined) return;
    const host = utilityProcess.fork(this.entry, [], { serviceName: 'dyno host', stdio: 'pipe' });
    this.host = host;
    const keep = (bytes: Buffer) => {
      this.tail = (this.tail + bytes.toString('utf8')).slice(-4000);
      process.stderr.write(bytes);
    };
    host.stdout?.on('data', keep);
    host.stderr?.on('data', keep);
    host.on('message', (message: unknown) => this.answered(message));
    host.once('exit', (exitCode) => this.ended(exitCode));
    for (const path of this.readable.all) this.post({ kind: 'grant', access: 'read', path });
    for (const [grant, path] of this.writable) this.post({ kind: 'grant', access: 'write', grant, path });
  }

  /** The page has loaded (again): it gets a fresh port. */
  connect(page: WebContents): void {
    this.page = page;
    if (this.host === undefined) return;
    const { port1, port2 } = new MessageChannelMain();
    this.host.postMessage({ kind: 'client' }, [port1]);
    page.postMessage(hostPortChannel, null, [port2]);
    this.tell({ state: 'up' });
  }

  /** The user chose this file to be read. */
  grantReading(path: string): void {
    this.readable.add(path);
    this.post({ kind: 'grant', access: 'read', path });
  }

  /** The user chose this file to be written; the page knows it as `grant`. */
  grantWriting(grant: string, path: string): void {
    this.writable.set(grant, path);
    this.post({ kind: 'grant', access: 'write', grant, path });
  }

  /** The report of a comparison as a page. Rejects with the host's reason. */
  report(baseline: string, optimized: string): Promise<string> {
    if (this.host === undefined) return Promise.reject(new Error('the host process is not running'));
    const id = this.nextId++;
    const answer = new Promise<string>((resolve, reject) => this.reports.set(id, { resolve, reject }));
    this.post({ kind: 'report', id, baseline, optimized });
    return answer;
  }

  /** Ends the host in order: it seals its runs first. Resolves when it has ended. */
  close(): Promise<void> {
    this.closing ??= new Promise((resolve) => {
      const { host } = this;
      if (host === undefined) {
        resolve();
        return;
      }
      host.once('exit', () => resolve());
      this.tell({ state: 'closing' });
      this.post({ kind: 'close' });
    });
    return this.closing;
  }

  get pid(): number | undefined {
    return this.host?.pid;
  }

  private post(message: object): void {
    this.host?.postMessage(message);
  }

  private answered(message: unknown): void {
    const answer = reportAnswer.safeParse(message);
    if (!answer.success) return;
    const waiting = this.reports.get(answer.data.id);
    this.reports.delete(answer.data.id);
    if ('html' in answer.data) waiting?.resolve(answer.data.html);
    else waiting?.reject(new Error(answer.data.error.message));
  }

  private ended(exitCode: number): void {
    this.host = undefined;
    for (const { reject } of this.reports.values()) reject(new Error('the host process ended'));
    this.reports.clear();
    if (this.closing !== undefined) return;
    const delay = this.budget.next(Date.now());
    const detail = this.tail.trim();
    if (delay === undefined) {
      this.tell({ state: 'gone', exitCode, detail });
      return;
    }
    this.tell({ state: 'restarting', exitCode, detail });
    setTimeout(() => {
      if (this.closing !== undefined) return;
      this.start();
      if (this.page !== undefined && !this.page.isDestroyed()) this.connect(this.page);
    }, delay);
  }

  private tell(state: HostState): void {
    if (this.page !== undefined && !this.page.isDestroyed()) this.page.send(hostStateChannel, state);
  }
}
