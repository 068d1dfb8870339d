import { app, MessageChannelMain, type UtilityProcess, utilityProcess, type WebContents } from 'electron';
import type { HostState } from '../contract/bridge.ts';
import { hostPortChannel, hostStateChannel } from '../contract/channels.ts';
import { RestartBudget } from './restartBudget.ts';

/**
 * The host process and the ports to it. Main only introduces page and host to each other:
 *
 *   page ◄── port ── MessageChannelMain ── port ──► host
 */
export class HostLink {
  private readonly entry: string;
  private readonly budget = new RestartBudget();
  private host: UtilityProcess | undefined;
  private page: WebContents | undefined;
  private tail = '';
  private isQuitting = false;

  constructor(entry: string) {
    this.entry = entry;
    app.on('before-quit', () => {
      this.isQuitting = true;
    });
  }

  start(): void {
    const host = utilityProcess.fork(this.entry, [], { serviceName: 'dyno host', stdio: 'pipe' });
    this.host = host;
    const keep = (bytes: Buffer) => {
      this.tail = (this.tail + bytes.toString('utf8')).slice(-4000);
      process.stderr.write(bytes);
    };
    host.stdout?.on('data', keep);
    host.stderr?.on('data', keep);
    host.once('exit', (exitCode) => this.ended(exitCode));
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

  /** Ends the host in order: it closes its runs before it goes. */
  stop(): void {
    this.isQuitting = true;
    this.host?.kill();
  }

  get pid(): number | undefined {
    return this.host?.pid;
  }

  private ended(exitCode: number): void {
    this.host = undefined;
    if (this.isQuitting) return;
    const delay = this.budget.next(Date.now());
    const detail = this.tail.trim();
    if (delay === undefined) {
      this.tell({ state: 'gone', exitCode, detail });
      return;
    }
    this.tell({ state: 'restarting', exitCode, detail });
    setTimeout(() => {
      if (this.isQuitting) return;
      this.start();
      if (this.page !== undefined && !this.page.isDestroyed()) this.connect(this.page);
    }, delay);
  }

  private tell(state: HostState): void {
    if (this.page !== undefined && !this.page.isDestroyed()) this.page.send(hostStateChannel, state);
  }
}
