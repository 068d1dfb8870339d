import { connect, type Socket } from 'node:net';

/**
 * The connecting end of a ZeroMQ socket: ZMTP 3.0 over TCP with the NULL mechanism (https://rfc.zeromq.org/spec/23/), as
 * much as a subscriber and a replay client need. Peers of ZMTP 3.1 answer in 3.0.
 *
 *   greeting (64 bytes each way) ─► READY command each way ─► messages of frames: flags, length, body
 *                                                                        bit 0 more, bit 1 long length, bit 2 command
 */
export interface ZmtpHandlers {
  /** The handshake is done: messages may be sent. */
  readonly onReady: () => void;
  readonly onMessage: (frames: readonly Buffer[]) => void;
  /** Once, with the reason; the socket is gone. */
  readonly onClose: (reason: string) => void;
}

/** A message larger than this ends the connection. */
const longestMessage = 64 * 2 ** 20;
const greetingLength = 64;

export class ZmtpSocket {
  private readonly socket: Socket;
  private readonly handlers: ZmtpHandlers;
  private received: Buffer = Buffer.alloc(0);
  private state: 'greeting' | 'ready' | 'open' | 'closed' = 'greeting';
  private frames: Buffer[] = [];
  private frameBytes = 0;
  private readonly type: string;

  constructor(endpoint: string, type: 'SUB' | 'DEALER', handlers: ZmtpHandlers, connectTimeoutMs = 3000) {
    const { host, port } = zmtpAddress(endpoint);
    this.type = type;
    this.handlers = handlers;
    this.socket = connect(port, host);
    this.socket.setNoDelay(true);
    this.socket.setKeepAlive(true, 10_000);
    const late = setTimeout(() => this.close('no ZeroMQ handshake in time'), connectTimeoutMs);
    this.socket.on('connect', () => this.socket.write(greeting()));
    this.socket.on('data', (bytes: Buffer) => {
      this.data(bytes);
      if (this.state === 'open') clearTimeout(late);
    });
    this.socket.on('error', (error) => this.close(error.message));
    this.socket.on('close', () => {
      clearTimeout(late);
      this.close('the peer closed the connection');
    });
  }

  subscribe(topic: string): void {
    this.send([Buffer.concat([Buffer.from([1]), Buffer.from(topic)])]);
  }

  send(frames: readonly Buffer[]): void {
    frames.forEach((frame, i) => {
      this.socket.write(Buffer.concat([frameHead(i < frames.length - 1 ? 1 : 0, frame.length), frame]));
    });
  }

  close(reason = 'closed'): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.socket.destroy();
    this.handlers.onClose(reason);
  }

  private data(bytes: Buffer): void {
    this.received = this.received.length === 0 ? bytes : Buffer.concat([this.received, bytes]);
    if (this.state === 'greeting') {
      const signature = this.received;
      const isZmtp = signature[0] === 0xff && (signature.length < 10 || signature[9] === 0x7f);
      if (!isZmtp || (signature.length > 10 && (signature[10] ?? 0) < 3)) {
        this.close('it does not speak ZMTP 3');
        return;
      }
      if (signature.length < greetingLength) return;
      const mechanism = signature.toString('latin1', 12, 32).replaceAll('\0', '');
      if (mechanism !== 'NULL') {
        this.close(`it wants the mechanism ${mechanism}, only NULL is supported`);
        return;
      }
      this.received = signature.subarray(greetingLength);
      this.state = 'ready';
      this.socket.write(readyCommand(this.type));
    }
    this.readFrames();
  }

  private readFrames(): void {
    while (this.state === 'ready' || this.state === 'open') {
      const flags = this.received[0];
      if (flags === undefined) return;
      const head = (flags & 2) !== 0 ? 9 : 2;
      if (this.received.length < head) return;
      const length = head === 9 ? Number(this.received.readBigUInt64BE(1)) : (this.received[1] ?? 0);
      if (this.frameBytes + length > longestMessage) {
        this.close(`a message larger than ${longestMessage} bytes`);
        return;
      }
      if (this.received.length < head + length) return;
      const body = this.received.subarray(head, head + length);
      this.received = this.received.subarray(head + length);
      if ((flags & 4) !== 0) this.command(body);
      else this.frame(body, (flags & 1) !== 0);
    }
  }

  private command(body: Buffer): void {
    const name = body.toString('latin1', 1, 1 + (body[0] ?? 0));
    if (name === 'READY' && this.state === 'ready') {
      this.state = 'open';
      this.handlers.onReady();
    } else if (name === 'ERROR') this.close(`it refused: ${body.toString('latin1', 7)}`);
    else if (name === 'PING') {
      const pong = Buffer.concat([Buffer.from([4]), Buffer.from('PONG'), body.subarray(7)]);
      this.socket.write(Buffer.concat([frameHead(4, pong.length), pong]));
    }
  }

  private frame(body: Buffer, hasMore: boolean): void {
    // A copy: the body is a view of a buffer that the next read replaces.
    this.frames.push(Buffer.from(body));
    this.frameBytes += body.length;
    if (hasMore) return;
    const { frames } = this;
    this.frames = [];
    this.frameBytes = 0;
    this.handlers.onMessage(frames);
  }
}

/** Host and port of `tcp://HOST:PORT`; RangeError where it is none. `*` means this machine. */
export function zmtpAddress(endpoint: string): { readonly host: string; readonly port: number } {
  const match = /^tcp:\/\/(\[[^\]]+\]|[^:/]+):(\d{1,5})$/.exec(endpoint);
  const host = match?.[1]?.replaceAll(/[[\]]/g, '');
  const port = Number(match?.[2]);
  if (host === undefined || !(port > 0 && port < 65_536))
    throw new RangeError(`${endpoint}: expected tcp://HOST:PORT`);
  return { host: host === '*' ? '127.0.0.1' : host, port };
}

function greeting(): Buffer {
  const bytes = Buffer.alloc(greetingLength);
  bytes.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]);
  bytes.write('NULL', 12, 'latin1');
  return bytes;
}

function readyCommand(type: string): Buffer {
  const property = (name: string, value: string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), length, Buffer.from(value)]);
  };
  // A DEALER names an empty identity, as libzmq does.
  const body = Buffer.concat([
    ...[Buffer.from([5]), Buffer.from('READY'), property('Socket-Type', type)],
    ...(type === 'DEALER' ? [property('Identity', '')] : []),
  ]);
  return Buffer.concat([frameHead(4, body.length), body]);
}

function frameHead(flags: number, length: number): Buffer {
  if (length < 256) return Buffer.from([flags, length]);
  const bytes = Buffer.alloc(9);
  bytes[0] = flags | 2;
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}
