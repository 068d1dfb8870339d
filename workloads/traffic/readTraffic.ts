import { InputError } from '../run/inputError.ts';
import type { TrafficSpec } from '../run/spec.ts';
import { readAzure } from './azureReader.ts';
import { readMooncake } from './mooncakeReader.ts';
import { speedUp } from './shape.ts';
import type { Traffic } from './traffic.ts';

export type TraceFormat = 'mooncake' | 'azure';
export type TraceSpec = Extract<TrafficSpec, { kind: 'trace' }>;
/** The caller opens files: this room does no I/O. */
export type OpenBytes = (path: string) => AsyncIterable<Uint8Array>;

/** Reads a recorded trace as its spec says. `path` as in the spec stands in error messages. */
export async function readTraffic(
  spec: TraceSpec,
  open: OpenBytes,
  progress?: (bytesRead: number) => void,
): Promise<Traffic> {
  const options = {
    ...(spec.limit === undefined ? {} : { limit: spec.limit }),
    ...(progress === undefined ? {} : { progress }),
  };
  const chunks = open(spec.path);
  const traffic = await (spec.format === 'mooncake'
    ? readMooncake(spec.path, chunks, options)
    : readAzure(spec.path, chunks, options));
  return speedUp(traffic, spec.speedup);
}

/** Which format a file has, by its first line; `head` is the file's start, a few KB. */
export function detectFormat(name: string, head: Uint8Array): TraceFormat {
  let start = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
  while (start < head.length && (head[start] ?? 0) <= 32 && [32, 9, 10, 13].includes(head[start] ?? 0))
    start++;
  const newline = head.indexOf(10, start);
  const end = newline < 0 ? head.length : newline;
  if (head[start] === 123) return 'mooncake';
  const azure = 'TIMESTAMP,';
  let same = 0;
  while (same < azure.length && head[start + same] === azure.charCodeAt(same)) same++;
  if (same === azure.length) return 'azure';
  throw new InputError(
    `${name}:1: ${start >= end ? 'no text' : 'another kind of text'}, expected a Mooncake trace (one JSON object per line) or an Azure trace (TIMESTAMP,ContextTokens,GeneratedTokens)`,
  );
}
