import type { Ns } from '../../units.ts';

/** What a receiver reports about one connection, in the order it happened. The numbers are the native addon's. */
export const recordKinds = {
  /** The sender turned to this request. */
  started: 1,
  connected: 2,
  /** The last byte of the request is in the kernel. */
  sent: 3,
  /** Bytes with the kernel's receive stamp. */
  kernelBytes: 4,
  /** Bytes stamped by the clock after they were read. */
  clockBytes: 5,
  /** The server closed its side. */
  ended: 6,
  /** `errno` says why. */
  failed: 7,
} as const;

/** One record in `rows`: kind, connection, time (ns on the run's clock), errno, bytes of payload. */
export const rowWidth = 5;

/** Where `drain` puts records. Payloads lie one after the other in `bytes`, in the order of the rows. */
export interface RecordBatch {
  readonly rows: Float64Array;
  readonly bytes: Uint8Array;
}

export const recordBatch = (rows = 4096, bytes = 1 << 20): RecordBatch => ({
  rows: new Float64Array(rows * rowWidth),
  bytes: new Uint8Array(bytes),
});

export interface Address {
  /** A numeric IP address: names are resolved before a run. */
  readonly host: string;
  readonly port: number;
  /** The name that the certificate must carry, for https. */
  readonly tlsName?: string;
}

export interface ReceiverStatus {
  readonly kind: 'native' | 'javascript';
  /** Reads that the kernel stamped, and those stamped by the clock after the read. */
  readonly kernelReads: number;
  readonly clockReads: number;
  /** Times that a receive thread had to wait for room, and for how long: the server felt a slow client. */
  readonly stalls: number;
  readonly stalledNs: Ns;
  /** By how much a kernel stamp may be wrong on the run's clock. */
  readonly clockErrorNs: Ns;
  /** Times that the system clock was set during the run. */
  readonly clockSteps: number;
  /** Of all its threads; absent where it can't be read. */
  readonly cpuNs?: Ns;
}

/** Opens connections, sends requests at their due times, stamps and hands over what comes back. */
export interface Receiver {
  /** `connection` is the caller's number, used once; `due` in ns on the run's clock, at once when past. */
  connect(connection: number, to: Address, request: Uint8Array, due: Ns): void;
  /** Another request on a connection that is still open; where it closed meanwhile, `failed` with EPIPE follows. */
  send(connection: number, request: Uint8Array, due: Ns): void;
  /** Closes at once, without a record. */
  drop(connection: number): void;
  /** Rows written; negative: as many, and more wait. */
  drain(batch: RecordBatch): number;
  status(): ReceiverStatus;
  close(): void;
}

/** errno of Linux by name, for messages and rules; others are shown by number. */
export const errnoNames: Readonly<Record<number, string>> = {
  1: 'EPERM',
  13: 'EACCES',
  24: 'EMFILE',
  32: 'EPIPE',
  99: 'EADDRNOTAVAIL',
  101: 'ENETUNREACH',
  103: 'ECONNABORTED',
  104: 'ECONNRESET',
  110: 'ETIMEDOUT',
  111: 'ECONNREFUSED',
  113: 'EHOSTUNREACH',
  1001: 'TLS',
  1002: 'CERTIFICATE',
  1003: 'CERTIFICATE_NAME',
  1004: 'CERTIFICATE_EXPIRED',
};
