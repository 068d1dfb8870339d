// Publishes KV events as vLLM and SGLang do: a ZeroMQ PUB socket (ZMTP 3.0 over TCP, NULL mechanism) with three frames a
// message (topic, sequence number, MessagePack), and a ROUTER socket that repeats what a subscriber missed.
import { createServer, type Server, type Socket } from 'node:net';
import { type Packable, packed } from './msgpack.ts';
import type { KvEvent } from './prefixCache.ts';

export interface KvPublisherOptions {
  /** vLLM since June 2026: maps; before, and SGLang: arrays. */
  readonly encoding: 'map' | 'array';
  readonly topic: string;
  /** Batches that are kept for replay. */
  readonly bufferSteps: number;
  /** Sequence numbers that are never sent, as a full queue loses them; replay still has them. */
  readonly lose: (sequence: number) => boolean;
  /** Hashes as signed integers (SGLang), unsigned ones, or 32 bytes. */
  readonly hashes: 'unsigned' | 'signed' | 'bytes';
  readonly rank: number | null;
}

export class KvPublisher {
  private readonly options: KvPublisherOptions;
  private readonly subscribers = new Map<Peer, string[]>();
  private readonly buffer: { readonly sequence: bigint; readonly payload: Buffer }[] = [];
  private readonly servers: Server[] = [];
  private readonly peers = new Set<Peer>();
  private sequence = 0n;

  constructor(options: KvPublisherOptions) {
    this.options = options;
  }

  get published(): number {
    return Number(this.sequence);
  }

  /** How many subscribers are connected and have subscribed to something. */
  get subscriptions(): number {
    return [...this.subscribers.values()].filter((topics) => topics.length > 0).length;
  }

  async listen(): Promise<{ readonly endpoint: string; readonly replay: string }> {
    const endpoint = await this.open('PUB', (peer, frames) => this.subscribed(peer, frames));
    const replay = await this.open('ROUTER', (peer, frames) => this.replay(peer, frames));
    return { endpoint, replay };
  }

  publish(events: readonly KvEvent[]): void {
    const sequence = this.sequence;
    this.sequence += 1n;
    const payload = packed([Date.now() / 1000, events.map((event) => this.encode(event)), this.options.rank]);
    this.buffer.push({ sequence, payload });
    if (this.buffer.length > this.options.bufferSteps) this.buffer.shift();
    if (this.options.lose(Number(sequence))) return;
    for (const [peer, topics] of this.subscribers) {
      if (!topics.some((topic) => this.options.topic.startsWith(topic))) continue;
      peer.send([Buffer.from(this.options.topic), bigEndian(sequence), payload]);
    }
  }

  /** A restarted engine counts from 0 and has forgotten what it published. */
  restart(): void {
    this.sequence = 0n;
    this.buffer.length = 0;
  }

  /** Drops every subscriber's connection; they may come back. */
  disconnect(): void {
    for (const peer of this.peers) peer.socket.destroy();
  }

  close(): void {
    for (const peer of this.peers) peer.socket.destroy();
    for (const server of this.servers) server.close();
  }

  private open(type: 'PUB' | 'ROUTER', onMessage: (peer: Peer, frames: Buffer[]) => void): Promise<string> {
    const server = createServer((socket) => {
      const peer = new Peer(socket, type, (frames) => onMessage(peer, frames));
      this.peers.add(peer);
      if (type === 'PUB') this.subscribers.set(peer, []);
      socket.on('close', () => {
        this.subscribers.delete(peer);
        this.peers.delete(peer);
      });
    });
    this.servers.push(server);
    return new Promise((resolve, reject) => {
      server.on('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        if (address === null || typeof address === 'string') reject(new Error('no TCP address'));
        else resolve(`tcp://127.0.0.1:${address.port}`);
      });
    });
  }

  private subscribed(peer: Peer, frames: Buffer[]): void {
    const [frame] = frames;
    const topics = this.subscribers.get(peer);
    if (frame === undefined || topics === undefined) return;
    const topic = frame.toString('utf8', 1);
    if (frame[0] === 1) topics.push(topic);
    else if (topics.includes(topic)) topics.splice(topics.indexOf(topic), 1);
  }

  /** `["", start]` is answered by `["", sequence, payload]` …, and −1 with an empty payload at the end. */
  private replay(peer: Peer, frames: Buffer[]): void {
    const start = frames.at(-1)?.readBigUInt64BE(0) ?? 0n;
    for (const { sequence, payload } of this.buffer)
      if (sequence >= start) peer.send([Buffer.alloc(0), bigEndian(sequence), payload]);
    peer.send([Buffer.alloc(0), Buffer.alloc(8, 0xff), Buffer.alloc(0)]);
  }

  private encode(event: KvEvent): Packable {
    const { encoding } = this.options;
    switch (event.kind) {
      case 'stored': {
        const hashes = event.hashes.map((hash) => this.hash(hash));
        const parent = event.parent === undefined ? null : this.hash(event.parent);
        if (encoding === 'array')
          return ['BlockStored', hashes, parent, [...event.tokens], event.blockTokens, null, 'GPU'];
        return {
          ...{ type: 'BlockStored', block_hashes: hashes, parent_block_hash: parent },
          ...{ token_ids: [...event.tokens], block_size: event.blockTokens, lora_id: null, medium: 'GPU' },
          ...{ lora_name: null, extra_keys: null, group_idx: 0, kv_cache_spec_kind: 'full_attention' },
        };
      }
      case 'removed': {
        const hashes = event.hashes.map((hash) => this.hash(hash));
        return encoding === 'array'
          ? ['BlockRemoved', hashes]
          : { type: 'BlockRemoved', block_hashes: hashes, medium: 'GPU', group_idx: 0 };
      }
      case 'cleared':
        return encoding === 'array' ? ['AllBlocksCleared'] : { type: 'AllBlocksCleared' };
      default: {
        const never: never = event;
        return never;
      }
    }
  }

  private hash(hash: bigint): Packable {
    switch (this.options.hashes) {
      case 'unsigned':
        return hash;
      case 'signed':
        return BigInt.asIntN(64, hash);
      case 'bytes':
        return Buffer.concat([Buffer.alloc(24, 7), bigEndian(hash)]);
      default: {
        const never: never = this.options.hashes;
        return never;
      }
    }
  }
}

function bigEndian(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** The bound end of one ZMTP connection. */
class Peer {
  readonly socket: Socket;
  private received: Buffer = Buffer.alloc(0);
  private isGreeted = false;
  private frames: Buffer[] = [];
  private readonly type: string;
  private readonly onMessage: (frames: Buffer[]) => void;

  constructor(socket: Socket, type: string, onMessage: (frames: Buffer[]) => void) {
    this.socket = socket;
    this.type = type;
    this.onMessage = onMessage;
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => this.data(bytes));
    const greeting = Buffer.alloc(64);
    greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]);
    greeting.write('NULL', 12);
    socket.write(greeting);
  }

  send(frames: readonly Buffer[]): void {
    frames.forEach((frame, i) => {
      const more = i < frames.length - 1 ? 1 : 0;
      this.socket.write(Buffer.concat([frameHead(more, frame.length), frame]));
    });
  }

  private data(bytes: Buffer): void {
    this.received = Buffer.concat([this.received, bytes]);
    if (!this.isGreeted) {
      if (this.received.length < 64) return;
      this.received = this.received.subarray(64);
      this.isGreeted = true;
      const type = Buffer.from(this.type);
      const length = Buffer.from([0, 0, 0, type.length]);
      const body = Buffer.concat([
        ...[Buffer.from([5]), Buffer.from('READY'), Buffer.from([11]), Buffer.from('Socket-Type')],
        ...[length, type],
      ]);
      this.socket.write(Buffer.concat([Buffer.from([4, body.length]), body]));
    }
    for (;;) {
      const flags = this.received[0];
      if (flags === undefined) return;
      const head = (flags & 2) !== 0 ? 9 : 2;
      if (this.received.length < head) return;
      const length = head === 9 ? Number(this.received.readBigUInt64BE(1)) : (this.received[1] ?? 0);
      if (this.received.length < head + length) return;
      const body = this.received.subarray(head, head + length);
      this.received = this.received.subarray(head + length);
      if ((flags & 4) !== 0) this.command(body);
      else {
        this.frames.push(body);
        if ((flags & 1) === 0) {
          this.onMessage(this.frames);
          this.frames = [];
        }
      }
    }
  }

  /** ZMTP 3.1 subscribers subscribe by a command. */
  private command(body: Buffer): void {
    const name = body.toString('latin1', 1, 1 + (body[0] ?? 0));
    const rest = body.subarray(1 + (body[0] ?? 0));
    if (name === 'SUBSCRIBE') this.onMessage([Buffer.concat([Buffer.from([1]), rest])]);
  }
}

function frameHead(flags: number, length: number): Buffer {
  if (length < 256) return Buffer.from([flags, length]);
  const bytes = Buffer.alloc(9);
  bytes[0] = flags | 2;
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}
