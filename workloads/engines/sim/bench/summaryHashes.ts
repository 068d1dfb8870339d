import { catalog, findTarget } from '../../../catalog/catalog.ts';
import type { RunSpec } from '../../../run/spec.ts';
import type { Batch, EventSink } from '../../../run/tables.ts';
import { generate, replicateSeed } from '../../../traffic/generate.ts';
import { slice } from '../../../traffic/shape.ts';
import type { Traffic } from '../../../traffic/traffic.ts';
import { simEngine } from '../engine.ts';

/**
 * Fingerprints of simulated runs: a change that should not alter results leaves them equal. Names of fields and columns
 * are no part of a fingerprint, so that renaming them does not change it; values and their order are.
 */

/** Receives the text and the bytes that a fingerprint is made of; the caller hashes them (this room has no hash). */
export interface Digests {
  readonly summary: (text: string) => void;
  readonly tables: (part: string | Uint8Array) => void;
}

export interface HashedRun {
  /** `target variant`, for generated traffic, or `target variant trace`. */
  readonly name: string;
  readonly target: string;
  readonly variant: string;
}

/** Every target and variant of the catalogue. */
export const everyVariant = (): HashedRun[] =>
  catalog.flatMap(({ id, variants }) =>
    variants.map((variant) => ({ name: `${id} ${variant.id}`, target: id, variant: variant.id })),
  );

/** The numbers, strings and booleans of a JSON value in order, without the names that they stand under. */
export function valuesIn(value: unknown): (string | number | boolean)[] {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return [value];
  if (Array.isArray(value)) return value.flatMap(valuesIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === 'schema' ? [] : valuesIn(inner)));
}

function digestingSink(digest: Digests['tables']): EventSink {
  return {
    batch({ rows, data }: Batch) {
      digest(`${rows} rows\n`);
      for (const column of data) {
        if (ArrayBuffer.isView(column)) {
          digest(new Uint8Array(column.buffer, column.byteOffset, rows * column.BYTES_PER_ELEMENT));
        } else digest(`${column.slice(0, rows).join('\n')}\n`);
      }
    },
    progress() {},
    log() {},
  };
}

/** The spec of a target at its defaults. Throws RangeError where the catalogue has no such target. */
function defaultSpec(target: string, variant: string): RunSpec {
  const found = findTarget(target);
  if (found === undefined) throw new RangeError(`no target "${target}" in the catalogue`);
  return found.spec({ variant, engine: 'sim', parameters: {}, seed: 0, iterations: 1 });
}

/**
 * Simulates a target and variant at its defaults, on the first `limit` requests of its own traffic or of `traffic`, and
 * hands over what its fingerprint is made of.
 */
export function digestRun(
  { target, variant }: HashedRun,
  limit: number,
  digests: Digests,
  traffic?: Traffic,
): void {
  const spec = defaultSpec(target, variant);
  const own = spec.traffic;
  const trafficOf = (replicate: number): Traffic => {
    if (traffic !== undefined) return slice(traffic, 0, limit);
    if (own.kind === 'trace') throw new RangeError(`${target}: its default traffic is a file`);
    return slice(generate(own, replicateSeed(spec.seed, replicate)), 0, limit);
  };
  const run = simEngine.open(spec, trafficOf, digestingSink(digests.tables));
  while (!run.step(Number.POSITIVE_INFINITY, 1_000_000));
  digests.summary(JSON.stringify(valuesIn(run.finish())));
}
