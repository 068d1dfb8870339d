/**
 * A ring of records between one writing and one reading thread, over shared memory; the same records as the native receiver's.
 *
 *   control: [written, read, wake pending, writer waits, stalls, reads]
 *   record:  kind, connection, errno, length (Int32 each), time (Float64), padded to 32 bytes; then the payload
 */
const control = { written: 0, read: 1, wakePending: 2, waiting: 3, stalls: 4, reads: 5 } as const;
const unit = 32;
/** Positions run modulo this; a ring must be smaller. */
const positions = 2 ** 30;

export interface RingMemory {
  readonly control: SharedArrayBuffer;
  readonly store: SharedArrayBuffer;
}

/** `bytes` is a power of two, at most 512 MiB. */
export const ringMemory = (bytes = 8 << 20): RingMemory => ({
  control: new SharedArrayBuffer(64),
  store: new SharedArrayBuffer(bytes),
});

const rounded = (bytes: number): number => Math.ceil(bytes / unit) * unit;

export class SharedRing {
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #ints: Int32Array;
  readonly #doubles: Float64Array;
  readonly #size: number;

  constructor(memory: RingMemory) {
    this.#control = new Int32Array(memory.control);
    this.#bytes = new Uint8Array(memory.store);
    this.#ints = new Int32Array(memory.store);
    this.#doubles = new Float64Array(memory.store);
    this.#size = memory.store.byteLength;
  }

  // ---- Writer

  /** False where the reader has to make room first; the record is then not written. */
  write(
    kind: number,
    connection: number,
    time: number,
    errno: number,
    payload: Uint8Array,
    length: number,
  ): boolean {
    let written = Atomics.load(this.#control, control.written);
    const used = (written - Atomics.load(this.#control, control.read) + positions) % positions;
    const needed = unit + rounded(length);
    const rest = this.#size - (written % this.#size);
    const skipped = rest < needed ? rest : 0;
    if (this.#size - used < skipped + needed) return false;
    if (skipped > 0) {
      const at = (written % this.#size) / 4;
      this.#ints[at] = 0;
      this.#ints[at + 3] = skipped - unit;
      written = (written + skipped) % positions;
    }
    const at = written % this.#size;
    this.#ints[at / 4] = kind;
    this.#ints[at / 4 + 1] = connection;
    this.#ints[at / 4 + 2] = errno;
    this.#ints[at / 4 + 3] = length;
    this.#doubles[at / 8 + 2] = time;
    if (length > 0)
      this.#bytes.set(length === payload.length ? payload : payload.subarray(0, length), at + unit);
    Atomics.store(this.#control, control.written, (written + needed) % positions);
    return true;
  }

  /** True when the reader must be woken: it hasn't been since its last drain. */
  get wakesReader(): boolean {
    return Atomics.exchange(this.#control, control.wakePending, 1) === 0;
  }
  countRead(): void {
    Atomics.add(this.#control, control.reads, 1);
  }
  stall(): void {
    Atomics.add(this.#control, control.stalls, 1);
    Atomics.store(this.#control, control.waiting, 1);
  }

  // ---- Reader

  get reads(): number {
    return Atomics.load(this.#control, control.reads);
  }
  get stalls(): number {
    return Atomics.load(this.#control, control.stalls);
  }
  /** Whether the writer waits for room; asking takes the answer away. */
  get writerWaits(): boolean {
    return Atomics.exchange(this.#control, control.waiting, 0) === 1;
  }

  /** `take` answers false to leave the record for the next time; true when nothing is left. */
  drain(
    take: (
      kind: number,
      connection: number,
      time: number,
      errno: number,
      payload: Uint8Array,
      from: number,
      length: number,
    ) => boolean,
  ): boolean {
    Atomics.store(this.#control, control.wakePending, 0);
    const written = Atomics.load(this.#control, control.written);
    let read = Atomics.load(this.#control, control.read);
    let all = true;
    while (read !== written) {
      const at = read % this.#size;
      const kind = this.#ints[at / 4] ?? 0;
      const length = this.#ints[at / 4 + 3] ?? 0;
      if (kind !== 0) {
        const connection = this.#ints[at / 4 + 1] ?? 0;
        const errno = this.#ints[at / 4 + 2] ?? 0;
        const time = this.#doubles[at / 8 + 2] ?? 0;
        all = take(kind, connection, time, errno, this.#bytes, at + unit, length);
        if (!all) break;
      }
      read = (read + unit + rounded(length)) % positions;
    }
    Atomics.store(this.#control, control.read, read);
    return all;
  }
}
