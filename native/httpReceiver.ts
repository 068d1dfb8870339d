// The receiver of native/http as an object: opens connections, sends at due times, hands over stamped bytes. It satisfies the
// interface that workloads declares, by its shape.
import type { RawAddon } from './addon.ts';
import { type Answer, failure, parseAnswer, success } from './answer.ts';

export interface HttpReceiverOptions {
  /** Receive threads; one per core at most is useful. */
  readonly threads?: number;
  /** Room for records of each thread, in bytes. */
  readonly ringBytes?: number;
  /** false: stamp by the clock after each read, to measure what the kernel's stamps gain. */
  readonly kernelStamps?: boolean;
  /** From how long before a due time the sender waits in a loop, ns. */
  readonly spinNs?: number;
  /** `process.hrtime.bigint()` at the run's time 0. */
  readonly origin: bigint;
  /** Records wait: called once, then not again until the next drain. */
  readonly wake: () => void;
}

export interface HttpReceiverStatus {
  readonly kind: 'native';
  readonly kernelStamps: boolean;
  /** The threads run at a real-time priority: they are on time beside busy cores too. */
  readonly realtime: boolean;
  readonly kernelReads: number;
  readonly clockReads: number;
  readonly stalls: number;
  readonly stalledNs: number;
  readonly clockErrorNs: number;
  readonly clockSteps: number;
  readonly cpuNs: number;
  /** Connections that are open now. */
  readonly open: number;
}

export class HttpReceiver {
  readonly #addon: RawAddon;
  readonly #session: number;
  #closed = false;

  private constructor(addon: RawAddon, session: number) {
    this.#addon = addon;
    this.#session = session;
  }

  static open(addon: RawAddon, options: HttpReceiverOptions): Answer<HttpReceiver> {
    const answer = parseAnswer<{ readonly session: number }>(
      addon.httpOpen(
        options.threads ?? 1,
        options.ringBytes ?? 8 << 20,
        options.kernelStamps ?? true,
        options.spinNs ?? 60_000,
        options.origin,
        options.wake,
      ),
    );
    return answer.ok ? success(new HttpReceiver(addon, answer.value.session)) : failure(answer.error);
  }

  /** Opens `connection`, a number used once, at `due` (ns after the origin) and writes the request. Throws RangeError for a name. */
  connect(
    connection: number,
    to: { readonly host: string; readonly port: number },
    request: Uint8Array,
    due: number,
  ): void {
    const answer = parseAnswer(
      this.#addon.httpConnect(this.#session, connection, to.host, to.port, request, due),
    );
    if (!answer.ok) throw new RangeError(answer.error.message);
  }

  send(connection: number, request: Uint8Array, due: number): void {
    this.#addon.httpSend(this.#session, connection, request, due);
  }

  drop(connection: number): void {
    this.#addon.httpDrop(this.#session, connection);
  }

  /** Rows of five numbers: kind, connection, ns after the origin, errno, bytes. Negative: as many, and more wait. */
  drain(batch: { readonly rows: Float64Array; readonly bytes: Uint8Array }): number {
    return this.#addon.httpDrain(this.#session, batch.rows, batch.bytes);
  }

  status(): HttpReceiverStatus {
    const answer = parseAnswer<Omit<HttpReceiverStatus, 'kind'>>(this.#addon.httpStatus(this.#session));
    if (!answer.ok) throw new Error(answer.error.message);
    return { kind: 'native', ...answer.value };
  }

  /** Ends its threads and closes every connection. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#addon.httpClose(this.#session);
  }
}

/** A server on loopback whose events carry the time of their writing (`native/http/stamped_server.h`). */
export class StampedServer {
  readonly port: number;
  readonly #addon: RawAddon;
  readonly #server: number;

  private constructor(addon: RawAddon, server: number, port: number) {
    this.#addon = addon;
    this.#server = server;
    this.port = port;
  }

  static start(addon: RawAddon, port = 0): Answer<StampedServer> {
    const answer = parseAnswer<{ readonly server: number; readonly port: number }>(
      addon.stampedServerStart(port),
    );
    return answer.ok
      ? success(new StampedServer(addon, answer.value.server, answer.value.port))
      : failure(answer.error);
  }

  /** Events written, and writes that the socket did not take at once. */
  stop(): { readonly events: number; readonly blocked: number } {
    const answer = parseAnswer<{ readonly events: number; readonly blocked: number }>(
      this.#addon.stampedServerStop(this.#server),
    );
    return answer.ok ? answer.value : { events: 0, blocked: 0 };
  }
}
