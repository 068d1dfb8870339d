import type { Tokens } from '../../../units.ts';
import { type Unpacked, unpack } from './msgpack.ts';

/**
 * KV events of vLLM and SGLang (reference/http.md §3.1). A batch is `[timestamp, events, data_parallel_rank]`; an event is
 * a map with a `type` (vLLM since June 2026) or an array `[type, …]` whose trailing defaults may be cut off (before, and
 * SGLang). Block hashes are 64-bit integers, signed or not, or 32 bytes whose last 8 count: all become unsigned BigInts.
 */
export type KvEvent =
  | {
      readonly kind: 'stored';
      readonly hashes: readonly bigint[];
      /** Block before the first one; undefined: the prompt begins here. */
      readonly parent: bigint | undefined;
      readonly tokens: readonly number[];
      readonly blockTokens: Tokens;
      readonly scope: KvScope;
    }
  | { readonly kind: 'removed'; readonly hashes: readonly bigint[]; readonly scope: KvScope }
  | { readonly kind: 'cleared' };

/** Where the blocks are: other media than the GPU, and groups other than full attention, say nothing of a prefix hit. */
export interface KvScope {
  readonly medium: string | undefined;
  readonly group: number | undefined;
  readonly attention: string | undefined;
}

export interface KvBatch {
  /** Seconds since 1970 on the server's clock. */
  readonly timestampS: number;
  readonly rank: number | undefined;
  readonly events: readonly KvEvent[];
  /** Events of a type or shape that is not known here. */
  readonly ignored: number;
}

/** Decodes one payload; MsgpackError or RangeError where it is no batch. */
export function decodeKvBatch(payload: Uint8Array): KvBatch {
  const batch = unpack(payload);
  if (!isList(batch)) throw new RangeError('a KV event batch must be an array');
  const [time, list, rank] = batch;
  if (typeof time !== 'number' || !isList(list))
    throw new RangeError('a KV event batch must be [time, events, rank]');
  const events: KvEvent[] = [];
  let ignored = 0;
  for (const item of list) {
    const event = eventOf(item);
    if (event === undefined) ignored += 1;
    else events.push(event);
  }
  return { timestampS: time, rank: typeof rank === 'number' ? rank : undefined, events, ignored };
}

/** Names of an event's fields in the order of the array form. */
const arrayFields: Readonly<Record<string, readonly string[]>> = {
  BlockStored: [
    ...['block_hashes', 'parent_block_hash', 'token_ids', 'block_size', 'lora_id', 'medium', 'lora_name'],
    ...['extra_keys', 'group_idx', 'kv_cache_spec_kind'],
  ],
  BlockRemoved: ['block_hashes', 'medium', 'group_idx'],
  AllBlocksCleared: [],
};

function eventOf(item: Unpacked): KvEvent | undefined {
  const fields = fieldsOf(item);
  if (fields === undefined) return undefined;
  const { type, get } = fields;
  const kind = get('kv_cache_spec_kind');
  const medium = get('medium');
  const group = get('group_idx');
  const scope: KvScope = {
    medium: typeof medium === 'string' ? medium : undefined,
    group: typeof group === 'number' ? group : undefined,
    attention: typeof kind === 'string' ? kind : undefined,
  };
  switch (type) {
    case 'BlockStored': {
      const hashes = hashesOf(get('block_hashes'));
      const tokens = get('token_ids');
      const blockTokens = get('block_size');
      const parent = get('parent_block_hash');
      if (hashes === undefined || !isList(tokens) || typeof blockTokens !== 'number' || blockTokens < 1)
        return undefined;
      const parentHash = parent === null || parent === undefined ? undefined : hashOf(parent);
      const ids = tokens.filter((id) => typeof id === 'number');
      return { kind: 'stored', hashes, parent: parentHash, tokens: ids, blockTokens, scope };
    }
    case 'BlockRemoved': {
      const hashes = hashesOf(get('block_hashes'));
      return hashes === undefined ? undefined : { kind: 'removed', hashes, scope };
    }
    case 'AllBlocksCleared':
      return { kind: 'cleared' };
    default:
      return undefined;
  }
}

interface Fields {
  readonly type: string;
  readonly get: (name: string) => Unpacked | undefined;
}

function fieldsOf(item: Unpacked): Fields | undefined {
  if (item instanceof Map) {
    const type: unknown = item.get('type');
    return typeof type === 'string' ? { type, get: (name) => item.get(name) } : undefined;
  }
  if (!isList(item)) return undefined;
  const [type, ...values] = item;
  if (typeof type !== 'string') return undefined;
  const names = arrayFields[type] ?? [];
  return { type, get: (name) => (names.includes(name) ? values[names.indexOf(name)] : undefined) };
}

const isList = (value: Unpacked | undefined): value is readonly Unpacked[] => Array.isArray(value);

function hashesOf(value: Unpacked | undefined): bigint[] | undefined {
  if (!isList(value)) return undefined;
  const hashes: bigint[] = [];
  for (const item of value) {
    const hash = hashOf(item);
    if (hash === undefined) return undefined;
    hashes.push(hash);
  }
  return hashes;
}

function hashOf(value: Unpacked): bigint | undefined {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt.asUintN(64, BigInt(value));
  if (typeof value === 'bigint') return BigInt.asUintN(64, value);
  if (!(value instanceof Uint8Array) || value.length === 0) return undefined;
  let hash = 0n;
  for (const byte of value.subarray(-8)) hash = (hash << 8n) | BigInt(byte);
  return hash;
}
