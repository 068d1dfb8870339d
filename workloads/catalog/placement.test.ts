import { expect, it } from 'vitest';
import type { GpuInstance } from '../run/instanceSpec.ts';
import type { RunSpec } from '../run/spec.ts';
import { findTarget } from './catalog.ts';
import { type Placement, placedOn } from './placement.ts';

function specOf(target: string, variant = 'optimized', parameters = {}): RunSpec {
  const found = findTarget(target);
  if (found === undefined) throw new Error(`no target ${target}`);
  return found.spec({ variant, engine: 'sim', parameters, seed: 0, iterations: 1 });
}
const onGpus = (spec: RunSpec, more: Partial<Extract<Placement, { engine: 'cuda' }>> = {}) =>
  placedOn(spec, { engine: 'cuda', devices: [0], weights: { kind: 'random', seed: 1 }, ...more });
const gpusOf = (spec: RunSpec) => spec.cluster.instances as readonly GpuInstance[];

it('instances on real GPUs are named after the GPU, not after the card of the cost model', () => {
  const spec = specOf('ch17:prefill_decode_disagg');
  expect(spec.cluster.instances[0]?.name).toMatch(/^h100-sxm-0$/);
  expect(gpusOf(onGpus(spec, { kvBlocks: 10 })).map(({ name }) => name)).toEqual(
    spec.cluster.instances.map((_, i) => `gpu0.${i}`),
  );
  expect(
    gpusOf(onGpus(spec, { devices: [0, 3], kvBlocks: 10 }))
      .slice(0, 4)
      .map(({ name, device }) => `${name} ${device}`),
  ).toEqual(['gpu0.0 0', 'gpu3.0 3', 'gpu0.1 0', 'gpu3.1 3']);
  // Names with a meaning of their own stay.
  const sizes = specOf('ch17:dynamic_routing');
  expect(gpusOf(onGpus(sizes, { kvBlocks: 10 })).map(({ name }) => name)).toEqual(
    sizes.cluster.instances.map(({ name }) => name),
  );
});

it('instances that share a GPU share what the weights leave of its memory', () => {
  const spec = specOf('labs/dynamic_router:dynamic_router', 'optimized', {
    scenario: 'homogeneous',
    instances: 2,
  });
  const blocksOn = (devices: readonly number[], memoryBytes: number) =>
    gpusOf(onGpus(spec, { devices, memoryBytes, model: 'llama-3.1-8b' })).map(({ kv_blocks }) => kv_blocks);
  const [alone = 0] = blocksOn([0, 1], 80e9);
  const [shared = 0, other = 0] = blocksOn([0], 80e9);
  expect(shared).toBe(other);
  // 16.06 GB of weights once, 2.5 GB of workspace each: 72 - 16.06 - 5 against 72 - 16.06 - 2.5, halved.
  expect(shared / alone).toBeCloseTo((72 - 16.06 - 5) / 2 / (72 - 16.06 - 2.5), 2);
  expect(() => blocksOn([0], 20e9)).toThrow('leave no room for KV on a GPU of 20.0 GB');
});

it('servers keep what they begin, and every pool of the cluster needs one', () => {
  const spec = specOf('ch17:prefill_decode_disagg');
  const server = { name: 'a', pool: 'mixed', serves: 'server', url: 'http://127.0.0.1:1' } as const;
  expect(() => placedOn(spec, { engine: 'http', servers: [] })).toThrow('expected --server URL');
  expect(() => placedOn(spec, { engine: 'http', servers: [server] })).toThrow('role=prefill');
});
