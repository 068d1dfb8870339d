import { decodeKvBatch, type KvBatch } from '../../../workloads/engines/http/servers/kvEvents.ts';
import { KvSequence } from '../../../workloads/engines/http/servers/kvSequence.ts';
import { ZmtpSocket } from './zmtpSocket.ts';

/** The state of one server's stream of KV events, for the window and the log. */
export interface KvStatus {
  readonly state: 'connecting' | 'live' | 'replaying' | 'broken';
  /** Last reason why the connection broke. */
  readonly reason?: string;
  readonly batches: number;
  readonly events: number;
  /** Events of types that are not known here. */
  readonly ignored: number;
  /** Payloads that are no batch. */
  readonly malformed: number;
  readonly gaps: number;
  /** Batches that never came, even on replay. */
  readonly lost: number;
  readonly restarts: number;
  readonly replayed: number;
  /** Milliseconds since the last batch; NaN before the first. */
  readonly ageMs: number;
}

export interface KvSubscription {
  readonly endpoint: string;
  /** The ROUTER that repeats batches; absent: a gap clears what was known. */
  readonly replay?: string | undefined;
  readonly topic?: string;
  /** A batch in order. Batches of one server come without gaps, or `onLost` came before. */
  readonly onBatch: (batch: KvBatch) => void;
  /** All that was told so far may be wrong: batches are lost, the server restarted, or the connection broke. */
  readonly onLost: () => void;
  readonly replayTimeoutMs?: number;
  readonly retryMs?: number;
}

interface Held {
  readonly sequence: number;
  readonly payload: Buffer;
}

/** Batches that wait while a replay is under way. */
const mostHeld = 10_000;

/**
 * Subscribes to a vLLM or SGLang server's KV events and hands them on in order. A gap asks for a replay from the first
 * missing batch; what then is still missing is lost, and `onLost` says so. Reconnects until `close`.
 */
export class KvSubscriber {
  private readonly options: KvSubscription;
  private readonly order = new KvSequence();
  private socket: ZmtpSocket | undefined;
  private replaySocket: ZmtpSocket | undefined;
  private held: Held[] = [];
  private counts = { batches: 0, events: 0, ignored: 0, malformed: 0, gaps: 0, replayed: 0 };
  private state: KvStatus['state'] = 'connecting';
  private reason: string | undefined;
  private lastAt = Number.NaN;
  private retry: NodeJS.Timeout | undefined;
  private lateReplay: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(options: KvSubscription) {
    this.options = options;
    this.connect();
  }

  get status(): KvStatus {
    return {
      state: this.state,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      ...this.counts,
      lost: this.order.lost,
      restarts: this.order.restarts,
      ageMs: performance.now() - this.lastAt,
    };
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.retry);
    clearTimeout(this.lateReplay);
    this.replaySocket?.close();
    this.socket?.close();
  }

  private connect(): void {
    this.state = 'connecting';
    const socket = new ZmtpSocket(this.options.endpoint, 'SUB', {
      onReady: () => {
        socket.subscribe(this.options.topic ?? '');
        this.state = 'live';
      },
      onMessage: (frames) => this.message(frames),
      onClose: (reason) => this.broken(reason),
    });
    this.socket = socket;
  }

  private broken(reason: string): void {
    if (this.isClosed) return;
    const wasLive = this.state === 'live' || this.state === 'replaying';
    this.state = 'broken';
    this.reason = reason;
    this.held = [];
    clearTimeout(this.lateReplay);
    this.replaySocket?.close();
    this.replaySocket = undefined;
    this.order.forget();
    if (wasLive) this.options.onLost();
    this.retry = setTimeout(() => this.connect(), this.options.retryMs ?? 500);
    this.retry.unref();
  }

  private message(frames: readonly Buffer[]): void {
    const [, number, payload] = frames;
    if (number?.length !== 8 || payload === undefined) {
      this.counts.malformed += 1;
      return;
    }
    const sequence = Number(number.readBigUInt64BE(0));
    if (this.state === 'replaying') {
      this.held.push({ sequence, payload });
      if (this.held.length > mostHeld) this.endReplay();
      return;
    }
    this.take(sequence, payload);
  }

  private take(sequence: number, payload: Buffer): void {
    const step = this.order.step(sequence);
    switch (step.kind) {
      case 'apply':
        this.apply(sequence, payload);
        return;
      case 'repeat':
        return;
      case 'restarted':
        this.order.restart();
        this.options.onLost();
        this.apply(sequence, payload);
        return;
      case 'gap':
        // A late join is no gap: nothing that was told is wrong.
        if (step.from > 0) this.counts.gaps += 1;
        this.held.push({ sequence, payload });
        this.askReplay(step.from);
        return;
      default: {
        const never: never = step;
        throw new RangeError(String(never));
      }
    }
  }

  private apply(sequence: number, payload: Buffer): void {
    this.order.advance(sequence);
    this.lastAt = performance.now();
    let batch: KvBatch;
    try {
      batch = decodeKvBatch(payload);
    } catch {
      this.counts.malformed += 1;
      return;
    }
    this.counts.batches += 1;
    this.counts.events += batch.events.length;
    this.counts.ignored += batch.ignored;
    this.options.onBatch(batch);
  }

  private askReplay(from: number): void {
    this.state = 'replaying';
    if (this.options.replay === undefined) {
      this.endReplay();
      return;
    }
    this.lateReplay = setTimeout(() => this.endReplay(), this.options.replayTimeoutMs ?? 2000);
    const start = Buffer.alloc(8);
    start.writeBigUInt64BE(BigInt(from));
    const socket = new ZmtpSocket(this.options.replay, 'DEALER', {
      onReady: () => socket.send([Buffer.alloc(0), start]),
      onMessage: (frames) => this.replayed(frames),
      onClose: () => {
        if (this.replaySocket === socket && this.state === 'replaying') this.endReplay();
      },
    });
    this.replaySocket = socket;
  }

  private replayed(frames: readonly Buffer[]): void {
    const [number, payload] = frames.slice(-2);
    if (this.state !== 'replaying' || number?.length !== 8 || payload === undefined) return;
    const signed = number.readBigInt64BE(0);
    if (signed < 0n) {
      this.endReplay();
      return;
    }
    const sequence = Number(signed);
    if (sequence <= this.order.applied) return;
    // The buffer begins later than asked for: what lies before is gone.
    if (sequence > this.order.applied + 1) this.lose(sequence);
    this.counts.replayed += 1;
    this.apply(sequence, payload);
  }

  /** Applies the batches that were held; batches that neither came nor were replayed are lost. */
  private endReplay(): void {
    clearTimeout(this.lateReplay);
    const socket = this.replaySocket;
    this.replaySocket = undefined;
    socket?.close();
    if (this.state === 'replaying') this.state = 'live';
    const { held } = this;
    this.held = [];
    for (const { sequence, payload } of held) {
      if (sequence <= this.order.applied) continue;
      if (sequence > this.order.applied + 1) this.lose(sequence);
      this.apply(sequence, payload);
    }
  }

  private lose(next: number): void {
    const before = this.order.lost;
    this.order.skipTo(next);
    if (this.order.lost > before) this.options.onLost();
  }
}
