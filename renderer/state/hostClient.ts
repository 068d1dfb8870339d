import { z } from 'zod';
import type { HostEvent } from '../../electron/contract/events.ts';
import { type HostError, hostError } from '../../electron/contract/hostError.ts';
import { problemOfResult } from '../../electron/contract/hostResults.ts';
import {
  captureInfo,
  type HostMethod,
  type HostParams,
  type HostResults,
  hostMethods,
  job,
} from '../../electron/contract/protocol.ts';
import { sweepInfo } from '../../electron/contract/sweeps.ts';

/** An error that the host sent as a value. */
export class HostFailure extends Error {
  override readonly name = 'HostFailure';
  readonly error: HostError;

  constructor(error: HostError) {
    super(error.message);
    this.error = error;
  }
}

/** A thrown value as a HostError. */
export function errorOf(thrown: unknown): HostError {
  if (thrown instanceof HostFailure) return thrown.error;
  if (thrown instanceof Error)
    return {
      code: 'internal',
      message: thrown.message,
      ...(thrown.stack === undefined ? {} : { detail: thrown.stack }),
    };
  return { code: 'internal', message: String(thrown) };
}

/** The part of MessagePort that is used, so that tests can stand in for it. */
export interface Port {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  start(): void;
  close(): void;
}

const reply = z.union([
  z.object({ id: z.int(), ok: z.literal(true), result: z.unknown() }),
  z.object({ id: z.int(), ok: z.literal(false), error: hostError }),
]);

// Frames are checked by shape only: parsing their arrays would cost more than drawing them.
const event = z.union([
  z.object({ event: z.literal('job'), job }),
  z.object({ event: z.literal('capture'), capture: captureInfo }),
  z.object({ event: z.literal('sweep'), sweep: sweepInfo }),
  z.object({ event: z.literal('runs_changed') }),
  z.object({
    event: z.literal('log'),
    time_ms: z.number(),
    level: z.enum(['info', 'warning', 'error']),
    message: z.string(),
  }),
  z.object({
    event: z.literal('frame'),
    frame: z.number(),
    run: z.string(),
    keys: z.array(z.object({ key: z.int(), source: z.string(), metric: z.string() })),
    time_ms: z.instanceof(Float64Array),
    key: z.instanceof(Int32Array),
    value: z.instanceof(Float64Array),
    decisions: z.array(z.custom<object>((row) => typeof row === 'object' && row !== null)),
  }),
]);

const malformed = (method: HostMethod, problem: string): HostFailure =>
  new HostFailure({
    code: 'internal',
    message: `the answer of the host to ${method} was malformed: ${problem}`,
    hint: 'Start Dyno again: the window and the host are of different versions.',
  });

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (failure: HostFailure) => void;
}

/** Requests and events over the port to the host. Requests made before the port is there wait for it. */
export class HostClient {
  private port: Port | undefined;
  private nextId = 1;
  private readonly pending = new Map<number, Pending>();
  private readonly waiting: { readonly id: number; readonly method: HostMethod; readonly params: unknown }[] =
    [];
  private readonly listeners = new Set<(event: HostEvent) => void>();
  private readonly connectListeners = new Set<() => void>();

  connect(port: Port): void {
    this.disconnect('the host was started again');
    this.port = port;
    port.addEventListener('message', ({ data }) => this.receive(data));
    port.start();
    for (const request of this.waiting.splice(0)) port.postMessage(request);
    for (const listener of this.connectListeners) listener();
  }

  /** Everything still open fails with this reason; later requests wait for the next port. */
  disconnect(reason: string): void {
    this.port?.close();
    this.port = undefined;
    const failure = new HostFailure({ code: 'internal', message: reason, hint: 'Try again.' });
    const waiting = new Set(this.waiting.map((request) => request.id));
    for (const [id, pending] of [...this.pending]) {
      if (waiting.has(id)) continue;
      this.pending.delete(id);
      pending.reject(failure);
    }
  }

  get isConnected(): boolean {
    return this.port !== undefined;
  }

  request<M extends HostMethod>(method: M, params: HostParams<M>): Promise<HostResults[M]> {
    const parsed = hostMethods[method].safeParse(params);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      return Promise.reject(
        new HostFailure({
          code: 'bad_input',
          message: `${issue?.path.join('.') ?? method}: ${issue?.message ?? 'malformed'}`,
          detail: z.prettifyError(parsed.error),
        }),
      );
    }
    const id = this.nextId++;
    const request = { id, method, params: parsed.data };
    return new Promise((resolve, reject) => {
      const take = (result: unknown) => {
        const problem = problemOfResult(method, result);
        if (problem === undefined) resolve(result as HostResults[M]);
        else reject(malformed(method, problem));
      };
      this.pending.set(id, { resolve: take, reject });
      if (this.port === undefined) this.waiting.push(request);
      else this.port.postMessage(request);
    });
  }

  /** Returns the unsubscribe. */
  onEvent(listener: (event: HostEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onConnect(listener: () => void): () => void {
    this.connectListeners.add(listener);
    return () => this.connectListeners.delete(listener);
  }

  private receive(data: unknown): void {
    const answer = reply.safeParse(data);
    if (answer.success) {
      const pending = this.pending.get(answer.data.id);
      this.pending.delete(answer.data.id);
      if (answer.data.ok) pending?.resolve(answer.data.result);
      else pending?.reject(new HostFailure(answer.data.error));
      return;
    }
    const told = event.safeParse(data);
    if (told.success) this.tell(told.data as HostEvent);
    else this.refuse(data, told.error);
  }

  private tell(event: HostEvent): void {
    for (const listener of this.listeners) listener(event);
  }

  private isRefusalTold = false;

  /**
   * Reports the first message that fits no schema in the log. A malformed frame is acknowledged all the same: the host
   * waits for acknowledgements, and two missing ones would stop the charts.
   */
  private refuse(data: unknown, error: z.ZodError): void {
    if (typeof data === 'object' && data !== null && 'event' in data && data.event === 'frame') {
      if ('frame' in data && typeof data.frame === 'number' && Number.isInteger(data.frame))
        void this.request('live.ack', { frame: data.frame }).catch((thrown: unknown) => this.note(thrown));
    }
    if (this.isRefusalTold) return;
    this.isRefusalTold = true;
    const issue = error.issues[0];
    this.note(
      `a message of the host was malformed (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}); it was left out, and later ones like it are`,
    );
  }

  /** Into the log of the window: what went wrong where no request waits for the answer. */
  note(problem: unknown): void {
    // Without a host the banner says so.
    if (!this.isConnected) return;
    const message = typeof problem === 'string' ? problem : errorOf(problem).message;
    this.tell({ event: 'log', time_ms: Date.now(), level: 'warning', message });
  }
}
