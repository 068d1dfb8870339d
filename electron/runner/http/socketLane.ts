import { connect as connectTcp, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { connect as connectTls } from 'node:tls';
import { recordKinds } from '../../../workloads/engines/http/receiver.ts';
import type { SharedRing } from './sharedRing.ts';

/** What a lane is asked to do; what crosses to its thread. */
export type LaneCommand =
  | {
      readonly kind: 'connect';
      readonly connection: number;
      readonly host: string;
      readonly port: number;
      readonly tlsName?: string;
      readonly request: Uint8Array;
      readonly due: number;
    }
  | { readonly kind: 'send'; readonly connection: number; readonly request: Uint8Array; readonly due: number }
  | { readonly kind: 'drop'; readonly connection: number }
  /** The ring has room again. */
  | { readonly kind: 'room' }
  | { readonly kind: 'close' };

interface Waiting {
  readonly due: number;
  readonly command: Extract<LaneCommand, { kind: 'connect' | 'send' }>;
}

/** From how long before a due time the lane turns round instead of sleeping: timers of Node come up to a millisecond late. */
const turnsFrom = 1.3e6;
const readSize = 65_536;
const nothing = new Uint8Array(0);

/**
 * Sockets of Node that report into a ring, on the thread they are made on. Each read is stamped before anything else is done
 * with it; one buffer per lane is read into, so that a read makes no garbage of its own. TLS sockets are the same.
 */
export class SocketLane {
  readonly #ring: SharedRing;
  readonly #wake: () => void;
  /** Adds this to performance.now() · 10⁶ for ns on the run's clock. */
  readonly #offset: number;
  readonly #sockets = new Map<number, Socket>();
  /** By due time, the earliest last. */
  readonly #waiting: Waiting[] = [];
  readonly #buffer = Buffer.alloc(readSize);
  /** Records that found the ring full, in order; their sockets are paused. */
  #held: (() => boolean)[] = [];
  readonly #paused = new Set<Socket>();
  #armed = false;
  #closed = false;

  constructor(ring: SharedRing, origin: bigint, wake: () => void) {
    this.#ring = ring;
    this.#wake = wake;
    this.#offset = clockOffset(origin);
  }

  #now(): number {
    return performance.now() * 1e6 + this.#offset;
  }

  take(command: LaneCommand): void {
    switch (command.kind) {
      case 'connect':
      case 'send': {
        const { due } = command;
        let at = this.#waiting.length;
        while (at > 0 && (this.#waiting[at - 1]?.due ?? 0) <= due) at--;
        this.#waiting.splice(at, 0, { due, command });
        this.#arm();
        return;
      }
      case 'drop': {
        const at = this.#waiting.findIndex((each) => each.command.connection === command.connection);
        if (at !== -1) this.#waiting.splice(at, 1);
        this.#sockets.get(command.connection)?.destroy();
        this.#sockets.delete(command.connection);
        return;
      }
      case 'room':
        this.#writeHeld();
        return;
      case 'close':
        this.#closed = true;
        for (const socket of this.#sockets.values()) socket.destroy();
        this.#sockets.clear();
        this.#waiting.length = 0;
        return;
    }
  }

  #arm(): void {
    if (this.#armed || this.#closed) return;
    const next = this.#waiting.at(-1);
    if (next === undefined) return;
    this.#armed = true;
    const left = next.due - this.#now();
    const again = () => {
      this.#armed = false;
      this.#sendDue();
    };
    // A fraction of a millisecond is cut off by the timer: it comes early, never late.
    if (left > turnsFrom + 1e6) setTimeout(again, Math.floor((left - turnsFrom) / 1e6));
    else if (left > 0) setImmediate(again);
    else again();
  }

  #sendDue(): void {
    for (let next = this.#waiting.at(-1); next !== undefined; next = this.#waiting.at(-1)) {
      if (next.due > this.#now()) break;
      this.#waiting.pop();
      this.#perform(next.command);
    }
    this.#arm();
  }

  #perform(command: Waiting['command']): void {
    const { connection, request } = command;
    const kept = this.#sockets.get(connection);
    if (command.kind === 'send' && kept === undefined) {
      this.#put(recordKinds.failed, connection, 32);
      return;
    }
    this.#put(recordKinds.started, connection);
    const socket = command.kind === 'connect' ? this.#open(command) : kept;
    socket?.write(request, (error) => {
      if (error === undefined || error === null) this.#put(recordKinds.sent, connection);
    });
  }

  #open(command: Extract<LaneCommand, { kind: 'connect' }>): Socket {
    const { connection, host, port, tlsName } = command;
    const onread = {
      buffer: this.#buffer,
      callback: (length: number, bytes: Uint8Array): boolean => this.#read(socket, connection, length, bytes),
    };
    const socket: Socket =
      tlsName === undefined
        ? connectTcp({ host, port, noDelay: true, onread })
        : connectTls({
            host,
            port,
            ...(isName(tlsName) ? { servername: tlsName } : {}),
            ALPNProtocols: ['http/1.1'],
          });
    this.#sockets.set(connection, socket);
    if (tlsName !== undefined) {
      socket.setNoDelay(true);
      socket.on(
        'data',
        (bytes: Buffer) => this.#read(socket, connection, bytes.length, bytes) || socket.pause(),
      );
    }
    let told = false;
    const over = (kind: number, errno = 0) => {
      if (told || this.#sockets.get(connection) !== socket) return;
      told = true;
      this.#sockets.delete(connection);
      this.#put(kind, connection, errno);
    };
    socket.on(tlsName === undefined ? 'connect' : 'secureConnect', () =>
      this.#put(recordKinds.connected, connection),
    );
    socket.on('end', () => over(recordKinds.ended));
    socket.on('error', (error) => over(recordKinds.failed, errnoOf(error)));
    socket.on('close', () => over(recordKinds.ended));
    return socket;
  }

  /** False pauses the socket until the ring has room. */
  #read(socket: Socket, connection: number, length: number, bytes: Uint8Array): boolean {
    const time = this.#now();
    this.#ring.countRead();
    const payload = bytes.subarray(0, length);
    if (
      this.#held.length === 0 &&
      this.#ring.write(recordKinds.clockBytes, connection, time, 0, payload, length)
    ) {
      this.#wakeReader();
      return true;
    }
    const copy = Uint8Array.from(payload);
    this.#hold(() => this.#ring.write(recordKinds.clockBytes, connection, time, 0, copy, length));
    this.#paused.add(socket);
    return false;
  }

  #put(kind: number, connection: number, errno = 0): void {
    const time = this.#now();
    const write = () => this.#ring.write(kind, connection, time, errno, nothing, 0);
    if (this.#held.length > 0 || !write()) this.#hold(write);
    this.#wakeReader();
  }

  #hold(write: () => boolean): void {
    this.#held.push(write);
    this.#ring.stall();
    this.#wakeReader();
  }

  #writeHeld(): void {
    let written = 0;
    while (written < this.#held.length && this.#held[written]?.() === true) written++;
    this.#held = this.#held.slice(written);
    if (written > 0) this.#wakeReader();
    if (this.#held.length > 0) {
      this.#ring.stall();
      return;
    }
    for (const socket of this.#paused) socket.resume();
    this.#paused.clear();
  }

  #wakeReader(): void {
    if (this.#ring.wakesReader) this.#wake();
  }
}

/** The thread may be paused between two readings of one clock in two units: the tightest of several pairs counts. */
function clockOffset(origin: bigint): number {
  let offset = 0;
  let tightest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i++) {
    const before = performance.now();
    const clock = Number(process.hrtime.bigint() - origin);
    const after = performance.now();
    if (after - before >= tightest) continue;
    tightest = after - before;
    offset = clock - ((before + after) / 2) * 1e6;
  }
  return offset;
}

const isName = (host: string): boolean => !/^[\d.]+$|:/.test(host);

/** Linux errno of a system error; 1001… for TLS (`errnoNames`). */
function errnoOf(error: Error & { readonly code?: string; readonly errno?: number }): number {
  const code = error.code ?? '';
  if (code === 'CERT_HAS_EXPIRED') return 1004;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 1003;
  if (/CERT|ISSUER|SIGNATURE|SELF_SIGNED/.test(code)) return 1002;
  if (code === 'EPROTO' || code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS')) return 1001;
  return error.errno === undefined ? 5 : Math.abs(error.errno);
}
