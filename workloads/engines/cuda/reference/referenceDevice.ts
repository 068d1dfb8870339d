import type { Tokens } from '../../../units.ts';
import {
  type DeviceAnswer,
  type DeviceCopy,
  type DeviceInstance,
  type DeviceModel,
  type DevicePass,
  type DevicePool,
  type DeviceResult,
  rowSamples,
  type TransformerShape,
} from '../device.ts';
import { largest, ReferenceCache, ReferenceTransformer, type ReferenceWeights } from './forward.ts';

const fine = { ok: true, value: undefined } as const;
const refused = (code: string, message: string) =>
  ({ ok: false, error: { code, message, hint: '' } }) as const;

/** KV memory by places: a row of keys and values per layer and token, undefined until it was written. */
class ReferencePool implements DevicePool {
  readonly blocks: number;
  readonly blockTokens: Tokens;
  readonly bytes = 0;
  readonly keys: (Float64Array | undefined)[][];
  readonly values: (Float64Array | undefined)[][];
  private readonly onFree: () => void;

  constructor(blocks: number, blockTokens: Tokens, layers: number, onFree: () => void) {
    this.blocks = blocks;
    this.blockTokens = blockTokens;
    this.onFree = onFree;
    this.keys = Array.from({ length: layers }, () => []);
    this.values = Array.from({ length: layers }, () => []);
  }

  free(): DeviceAnswer<undefined> {
    this.onFree();
    return fine;
  }
}

export interface ReferenceClock {
  monotonic(): bigint;
  /** Calls back in a later turn, after about so many ns. */
  later(ns: number, call: () => void): void;
}

/** How long a pass of so many tokens and sequences takes, ns. */
export type PassTime = (tokens: number, sequences: number) => number;

/**
 * A device in plain TypeScript: it computes every pass with the float64 reference, through block tables, and refuses to read a place
 * that was never written. What a wrong table or a lost block would do on a card in silence, it says.
 */
export class ReferenceDevice implements DeviceModel<ReferencePool> {
  readonly info = {
    parameters: 0,
    weightBytes: 0,
    kvBytesPerToken: 0,
    freeBytes: 0,
    totalBytes: 0,
    loadSeconds: 0,
    clockErrorNs: 0,
  };
  /** Pools and instances that are not closed: 0 when everything was given back. */
  open = 0;
  passes = 0;
  copied = 0;
  /** Refuses pools beyond so many blocks together. */
  blockLimit = Number.POSITIVE_INFINITY;
  /** Refuses the pass of this number. */
  failsAt = -1;
  /** Time from when a pass is asked for until it starts. */
  idleNs = 0;
  private blocks = 0;
  private readonly shape: TransformerShape;
  private readonly transformer: ReferenceTransformer;
  private readonly clock: ReferenceClock;
  private readonly passTime: PassTime;

  constructor(
    shape: TransformerShape,
    weights: ReferenceWeights,
    clock: ReferenceClock,
    passTime: PassTime = () => 1e6,
  ) {
    this.shape = shape;
    this.transformer = new ReferenceTransformer(shape, weights);
    this.clock = clock;
    this.passTime = passTime;
  }

  kvPool({ blocks, blockTokens }: { blocks: number; blockTokens: number }): DeviceAnswer<ReferencePool> {
    if (this.blocks + blocks > this.blockLimit) {
      return refused(
        'CUDA_ERROR_OUT_OF_MEMORY',
        `${blocks} blocks asked for, ${this.blockLimit - this.blocks} free`,
      );
    }
    this.blocks += blocks;
    this.open++;
    const pool = new ReferencePool(blocks, blockTokens, this.shape.layers, () => {
      this.open--;
      this.blocks -= blocks;
    });
    return { ok: true, value: pool };
  }

  instance({
    pool,
    maxSequences,
    maxTokens,
  }: {
    pool: ReferencePool;
    maxSequences: number;
    maxTokens: number;
  }): DeviceAnswer<DeviceInstance> {
    this.open++;
    return {
      ok: true,
      value: {
        bytes: 0,
        multiprocessors: 1,
        graphBuckets: [],
        pass: (plan, done) => this.pass(pool, maxSequences, maxTokens, plan, done),
        warm: () => Promise.resolve(fine),
        close: () => {
          this.open--;
          return Promise.resolve(fine);
        },
      },
    };
  }

  private pass(
    pool: ReferencePool,
    maxSequences: number,
    maxTokens: number,
    plan: DevicePass,
    done: (answer: DeviceAnswer<DeviceResult>) => void,
  ): void {
    const startNs = this.clock.monotonic() + BigInt(this.idleNs);
    const tokens: number[] = [];
    const rows = plan.slots.length;
    const number = this.passes++;
    let at = 0;
    let refusal =
      number === this.failsAt
        ? 'the device refused'
        : rows > maxSequences || plan.tokens.length > maxTokens
          ? `${rows} rows and ${plan.tokens.length} tokens, expected at most ${maxSequences} and ${maxTokens}`
          : new Set(plan.slots).size < rows
            ? 'a slot appears twice'
            : '';
    for (let row = 0; row < rows && refusal === ''; row++) {
      const count = plan.counts[row] ?? 0;
      const input = plan.tokens.slice(at, at + count);
      at += count;
      const places = plan.blocks.subarray(plan.blockOffsets[row], plan.blockOffsets[row + 1]);
      const found = this.row(pool, plan.starts[row] ?? 0, [...input], places);
      if (typeof found === 'string') refusal = `row ${row}: ${found}`;
      else if (((plan.flags[row] ?? 0) & rowSamples) !== 0) tokens.push(largest(found));
    }
    this.clock.later(this.idleNs + this.passTime(plan.tokens.length, rows), () => {
      if (refusal !== '') {
        done(refused('PLAN', refusal));
        return;
      }
      done({
        ok: true,
        value: {
          startNs,
          endNs: this.clock.monotonic(),
          clockErrorNs: 0,
          tokens: Int32Array.from(tokens),
          launches: 1,
          graph: false,
          hostCpuNs: 0,
        },
      });
    });
  }

  /** Logits of the row's last position, or what is wrong with it. */
  private row(
    pool: ReferencePool,
    start: Tokens,
    input: number[],
    places: Int32Array,
  ): Float64Array | string {
    const { blockTokens } = pool;
    const at = (position: number): number =>
      (places[Math.floor(position / blockTokens)] ?? -1) * blockTokens + (position % blockTokens);
    if (places.length * blockTokens < start + input.length) return 'too few blocks';
    const cache = new ReferenceCache(this.shape.layers);
    for (let position = 0; position < start; position++) {
      for (let layer = 0; layer < this.shape.layers; layer++) {
        const key = pool.keys[layer]?.[at(position)];
        const value = pool.values[layer]?.[at(position)];
        if (key === undefined || value === undefined) return `position ${position} was never written`;
        cache.keys[layer]?.push(key);
        cache.values[layer]?.push(value);
      }
    }
    const logits = this.transformer.forward(input, cache).at(-1);
    for (let layer = 0; layer < this.shape.layers; layer++) {
      for (let position = start; position < start + input.length; position++) {
        const [keys, values] = [pool.keys[layer], pool.values[layer]];
        if (keys !== undefined) keys[at(position)] = cache.keys[layer]?.[position];
        if (values !== undefined) values[at(position)] = cache.values[layer]?.[position];
      }
    }
    return logits ?? 'no tokens';
  }

  copyBlocks(
    from: ReferencePool,
    to: ReferencePool,
    pairs: Int32Array,
    _options: object,
    done: (answer: DeviceAnswer<DeviceCopy>) => void,
  ): void {
    const startNs = this.clock.monotonic();
    this.copied += pairs.length / 2;
    // The blocks are read and written as late as a device may: whoever reuses them too early is found out.
    this.clock.later(1e5, () => {
      for (let i = 0; i < pairs.length; i += 2) {
        for (let layer = 0; layer < this.shape.layers; layer++) {
          for (let t = 0; t < from.blockTokens; t++) {
            const source = (pairs[i] ?? 0) * from.blockTokens + t;
            const target = (pairs[i + 1] ?? 0) * to.blockTokens + t;
            const [keys, values] = [to.keys[layer], to.values[layer]];
            if (keys !== undefined) keys[target] = from.keys[layer]?.[source];
            if (values !== undefined) values[target] = from.values[layer]?.[source];
          }
        }
      }
      const bytes =
        (pairs.length / 2) *
        from.blockTokens *
        this.shape.layers *
        this.shape.kvHeads *
        this.shape.headDim *
        4;
      done({ ok: true, value: { startNs, endNs: this.clock.monotonic(), clockErrorNs: 0, bytes } });
    });
  }

  memory(): DeviceAnswer<{ readonly freeBytes: number; readonly totalBytes: number }> {
    return { ok: true, value: { freeBytes: 0, totalBytes: 0 } };
  }

  close(): Promise<DeviceAnswer<undefined>> {
    return Promise.resolve(fine);
  }
}
