// Turns tokens into the bytes of an SSE stream, with the framing and the fault that the script asks for.
import { emptyEvent, generateEvent, lastEvents, roleEvent, type Served, tokenEvent } from './events.ts';
import type { Reply } from './httpConnection.ts';
import type { Fault } from './script.ts';

export class StreamWriter {
  private readonly served: Served;
  private readonly reply: Reply;
  private readonly fault: Fault | undefined;
  private readonly total: number;
  private readonly finish: string;
  private held: Buffer[] = [];
  private events = 0;
  private isOpen = false;
  private hasRole = false;
  /** First token that no event has carried yet. */
  private from = 0;
  /** Second half of a character whose first half is sent. */
  private rest: Buffer = Buffer.alloc(0);
  private stalledUntil: Promise<void> | undefined;

  constructor(served: Served, reply: Reply, fault: Fault | undefined, total: number, finish: string) {
    this.served = served;
    this.reply = reply;
    this.fault = fault;
    this.total = total;
    this.finish = finish;
  }

  /** Called when the request is accepted. */
  accepted(): void {
    const { framing } = this.served;
    if (framing.headers === 'early') this.open();
    if (framing.earlyRole) this.role();
  }

  /** Token n is there. */
  token(n: number): void {
    if (this.reply.over) return;
    if (this.stalledUntil !== undefined) {
      void this.stalledUntil.then(() => {
        this.stalledUntil = undefined;
        this.token(n);
      });
      return;
    }
    if (this.failsBefore(n)) return;
    this.open();
    this.role();
    if (n === 0)
      for (let i = 0; i < this.served.framing.emptyEvents; i += 1) this.event(emptyEvent(this.served));
    const isLast = n + 1 >= this.total;
    const isFull = n + 1 - this.from >= this.served.framing.tokensPerEvent;
    // Reasoning and content never share an event.
    const isBoundary = this.served.ask.api === 'chat' && n + 1 === this.served.framing.reasoningTokens;
    if (!isFull && !isLast && !isBoundary) return;
    this.tokens(this.from, n + 1, isLast);
    this.from = n + 1;
    if (isLast) this.last(n + 1);
  }

  private tokens(from: number, to: number, isLast: boolean): void {
    const { framing, ask } = this.served;
    if (ask.api === 'generate') {
      this.event(generateEvent(this.served, to, isLast ? this.finish : null));
      return;
    }
    let text = '';
    for (let n = from; n < to; n += 1) text += framing.tokenText(n);
    if (!framing.splitUtf8) {
      this.event(tokenEvent(this.served, from, to, text));
      return;
    }
    // The JSON is made with a placeholder; the bytes of the text are put in by hand, cut in the middle of a character.
    const bytes = Buffer.concat([this.rest, Buffer.from(text)]);
    const cut = isLast ? bytes.length : middleOfLastCharacter(bytes);
    this.rest = bytes.subarray(cut);
    const json = JSON.stringify(tokenEvent(this.served, from, to, '\u0001'));
    const [before = '', after = ''] = json.split('\\u0001');
    this.line(Buffer.concat([Buffer.from(before), bytes.subarray(0, cut), Buffer.from(after)]));
  }

  private last(tokens: number): void {
    const { fault } = this;
    const skipsFinish = fault?.kind === 'no_finish';
    if (!skipsFinish) for (const event of lastEvents(this.served, tokens, this.finish)) this.event(event);
    const done =
      fault?.kind === 'no_done' ? false : fault?.kind === 'no_finish' ? fault.done : this.served.framing.done;
    if (done) this.line(Buffer.from('[DONE]'));
    this.flush();
    this.reply.end();
  }

  /** True where the fault strikes here: the stream is over or spoilt. */
  private failsBefore(n: number): boolean {
    const { fault, served } = this;
    if (fault === undefined || !('after' in fault) || fault.after !== n) return false;
    // Tokens that were held back for a fuller event go first.
    if (this.from < n) {
      this.tokens(this.from, n, false);
      this.from = n;
    }
    this.open();
    switch (fault.kind) {
      case 'error_event': {
        const message = 'the engine died';
        const error =
          served.dialect === 'llamacpp'
            ? { code: 500, message, type: 'server_error' }
            : { message, type: 'InternalServerError', param: null, code: 500 };
        this.event({ error });
        if (fault.done) this.line(Buffer.from('[DONE]'));
        this.flush();
        this.reply.end();
        return true;
      }
      case 'no_finish':
        if (fault.done) this.line(Buffer.from('[DONE]'));
        this.flush();
        this.reply.end();
        return true;
      case 'cut':
        this.flush();
        this.reply.cut();
        return true;
      case 'reset':
        this.flush();
        this.reply.reset();
        return true;
      case 'stall':
        this.flush();
        this.stalledUntil = new Promise((done) => setTimeout(done, fault.ms));
        this.after(n);
        return true;
      case 'wrong_json':
        this.line(Buffer.from('{"choices":[{"text":'));
        return false;
      case 'bad_utf8':
        this.line(
          Buffer.concat([
            Buffer.from('{"choices":[{"index":0,"text":"'),
            Buffer.from([0xff, 0xfe]),
            Buffer.from('"}]}'),
          ]),
        );
        return false;
      case 'huge_event':
        this.event({ choices: [{ index: 0, text: 'x'.repeat(fault.bytes), finish_reason: null }] });
        return false;
      case 'endless_event':
        // A `data:` line that never ends: no line break comes.
        this.flush();
        this.reply.chunk(Buffer.from('data: {"choices":[{"index":0,"text":"'));
        for (let sent = 0; sent < fault.bytes; sent += 65_536) this.reply.chunk(Buffer.alloc(65_536, 0x78));
        return true;
      default: {
        const never: never = fault;
        return never;
      }
    }
  }

  private after(n: number): void {
    void this.stalledUntil?.then(() => {
      this.stalledUntil = undefined;
      if (this.reply.over) return;
      // The fault has struck: the token goes out as any other.
      Object.assign(this, { fault: undefined });
      this.token(n);
    });
  }

  private open(): void {
    if (this.isOpen) return;
    this.isOpen = true;
    this.reply.openStream(this.served.framing.contentType);
  }

  private role(): void {
    if (this.hasRole || this.served.ask.api !== 'chat') return;
    this.hasRole = true;
    this.open();
    this.event(roleEvent(this.served));
  }

  private event(json: unknown): void {
    this.line(Buffer.from(JSON.stringify(json)));
  }

  private line(data: Buffer): void {
    const { framing } = this.served;
    const { lineEnd } = framing;
    const field = framing.spaceAfterColon ? 'data: ' : 'data:';
    const parts: Buffer[] = [];
    if (framing.pingEvery > 0 && this.events % framing.pingEvery === 0)
      parts.push(Buffer.from(`${framing.ping}${lineEnd}${lineEnd}`));
    for (const piece of piecesOf(data, framing.dataLines))
      parts.push(Buffer.from(field), piece, Buffer.from(lineEnd));
    parts.push(Buffer.from(lineEnd));
    this.events += 1;
    this.held.push(Buffer.concat(parts));
    if (this.held.length >= framing.eventsPerChunk) this.flush();
  }

  private flush(): void {
    if (this.held.length === 0) return;
    this.reply.chunk(Buffer.concat(this.held));
    this.held = [];
  }
}

/** JSON may break after a comma between members; strings of ours hold no comma followed by a quote. */
function piecesOf(data: Buffer, count: number): Buffer[] {
  if (count <= 1) return [data];
  const pieces: Buffer[] = [];
  let from = 0;
  while (pieces.length < count - 1) {
    const comma = data.indexOf(',"', from);
    if (comma < 0) break;
    pieces.push(data.subarray(from, comma + 1));
    from = comma + 1;
  }
  return [...pieces, data.subarray(from)];
}

/** Where to cut so that the last multi-byte character is torn; the end where the last character is ASCII. */
function middleOfLastCharacter(bytes: Buffer): number {
  let start = bytes.length - 1;
  while (start >= 0 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return bytes.length - start > 1 ? start + 1 : bytes.length;
}
