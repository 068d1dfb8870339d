// The hand-shakes of a prefill and a decode server, as a client takes part in them (http.md §2.9).
//
//   vLLM, NIXL     1. POST to P, max_tokens 1, kv_transfer_params {do_remote_decode: true, …}
//                  2. P answers with kv_transfer_params, which the client passes on whole
//                  3. POST to D with them and the same X-Request-Id
//   SGLang         the same body to both at once, with one bootstrap_room; D starts when P's prefill is done
import { randomUUID } from 'node:crypto';
import type { Ask, Dialect } from './script.ts';

type Leg =
  | { readonly kind: 'alone' }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'prefill'; readonly extra: Readonly<Record<string, unknown>>; done(): void }
  | { readonly kind: 'decode'; readonly ready: Promise<void> | undefined };

interface Room {
  readonly ready: Promise<void>;
  readonly open: () => void;
}

export class PairDesk {
  /** Prefilled requests that no decode server has fetched yet: their id by the id of the transfer. */
  private readonly transfers = new Map<string, string | undefined>();
  private readonly rooms = new Map<string, Room>();
  /** Transfers and rooms that were used. */
  completed = 0;

  get pending(): number {
    return this.transfers.size;
  }

  legOf(ask: Ask, dialect: Dialect, port: number): Leg {
    const room = ask.body['bootstrap_room'];
    if (dialect === 'sglang' && room !== undefined && room !== null) return this.bootstrap(ask, String(room));
    const params = ask.body['kv_transfer_params'];
    if (typeof params !== 'object' || params === null) return { kind: 'alone' };
    const given = params as Readonly<Record<string, unknown>>;
    if (given['do_remote_decode'] === true) return this.prefill(ask, port);
    if (given['do_remote_prefill'] === true) return this.decode(ask, given);
    return { kind: 'alone' };
  }

  private prefill(ask: Ask, port: number): Leg {
    if (ask.stream || ask.maxTokens !== 1)
      return { kind: 'refused', why: 'the prefill leg must ask for one token and no stream' };
    if (ask.body['min_tokens'] !== undefined || ask.body['stream_options'] !== undefined)
      return { kind: 'refused', why: 'min_tokens and stream_options do not belong on the prefill leg' };
    const id = randomUUID();
    this.transfers.set(id, ask.requestId);
    return {
      kind: 'prefill',
      done: () => undefined,
      extra: {
        kv_transfer_params: {
          ...{ do_remote_prefill: true, do_remote_decode: false, remote_engine_id: `engine-${port}` },
          ...{ remote_block_ids: [[1, 2, 3]], remote_host: '127.0.0.1', remote_port: port, tp_size: 1 },
          remote_request_id: id,
        },
      },
    };
  }

  private decode(ask: Ask, params: Readonly<Record<string, unknown>>): Leg {
    const id = String(params['remote_request_id']);
    const known = this.transfers.has(id);
    if (!known || typeof params['remote_engine_id'] !== 'string' || params['tp_size'] !== 1)
      return { kind: 'refused', why: 'kv_transfer_params are not those that a prefill server gave' };
    if (this.transfers.get(id) !== ask.requestId)
      return { kind: 'refused', why: 'X-Request-Id differs between the two legs' };
    this.transfers.delete(id);
    this.completed += 1;
    return { kind: 'decode', ready: undefined };
  }

  private bootstrap(ask: Ask, name: string): Leg {
    const room = this.room(name);
    if (this.isPrefill(ask))
      return {
        kind: 'prefill',
        extra: {},
        done: () => {
          this.completed += 1;
          room.open();
        },
      };
    return { kind: 'decode', ready: room.ready };
  }

  /** Which of an SGLang pair a server is: its port is in this set. */
  readonly prefillHosts = new Set<string>();

  private isPrefill(ask: Ask): boolean {
    return this.prefillHosts.has(ask.http.headers.get('host') ?? '');
  }

  private room(name: string): Room {
    const existing = this.rooms.get(name);
    if (existing !== undefined) return existing;
    let open: () => void = () => undefined;
    const ready = new Promise<void>((resolve) => {
      open = resolve;
    });
    const room = { ready, open };
    this.rooms.set(name, room);
    return room;
  }
}
