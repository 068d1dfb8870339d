import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface ShortAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface ShortRequest {
  readonly method?: 'GET' | 'POST';
  readonly json?: unknown;
  readonly apiKey?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Bytes of the body that are read; the rest is refused. */
  readonly limit?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Why a server could not be asked, in words. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

const meanings: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ECONNRESET: 'the connection was reset',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'no answer from the name service',
  EHOSTUNREACH: 'the host is unreachable',
  ETIMEDOUT: 'no answer',
  EPIPE: 'the connection was closed',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is self-signed',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate cannot be verified',
  EPROTO: 'it does not speak TLS',
};

/** The reason of a failed connection in words. */
export function connectionReason(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  return meanings[code] ?? (thrown instanceof Error ? thrown.message : String(thrown));
}

/**
 * One request on a connection of its own, with a deadline over all of it. Redirects are answers as any other: they are
 * never followed. Throws Unreachable.
 */
export function ask(url: string, options: ShortRequest = {}): Promise<ShortAnswer> {
  const { timeoutMs = 3000, limit = 16 * 2 ** 20, json, apiKey, signal } = options;
  const body = json === undefined ? undefined : JSON.stringify(json);
  const settings: RequestOptions = {
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    agent: false,
    headers: {
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      ...options.headers,
    },
    ...(signal === undefined ? {} : { signal }),
  };
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const call = send(url, settings, (response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on('data', (part: Buffer) => {
        parts.push(part);
        length += part.length;
        if (length > limit) call.destroy(new Error(`it sends more than ${limit} bytes`));
      });
      response.on('error', fail);
      response.on('end', () => {
        clearTimeout(late);
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, body: Buffer.concat(parts).toString('utf8') });
      });
    });
    const fail = (thrown: unknown): void => {
      clearTimeout(late);
      reject(new Unreachable(connectionReason(thrown)));
    };
    const late = setTimeout(
      () => call.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    call.on('error', fail);
    call.end(body);
  });
}

/** The parsed body of an answer; undefined where it is no JSON object. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? membersOf(value)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The members of a value that came out of JSON; none where it is no object. */
export const membersOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
