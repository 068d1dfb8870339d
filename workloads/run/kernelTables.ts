import type { TableSchema } from './tables.ts';

/**
 * What ran on the GPU and what the host did meanwhile, on the run's clock. `source` says what recorded it:
 *
 * | source    | what saw it                                                                    |
 * |-----------|--------------------------------------------------------------------------------|
 * | `cupti`   | CUPTI's activity records inside the process: the device's own start and end     |
 * | `host`    | the runner's CUDA events around an iteration or a launch: no stream, no correlation |
 */
export const kernelsTable: TableSchema = {
  name: 'kernels',
  columns: [
    { name: 'iteration', type: 'int32', unit: '', meaning: 'measured iteration, from 0; absent outside one' },
    { name: 'variant', type: 'text', unit: '', meaning: 'the variant that launched it' },
    { name: 'kind', type: 'text', unit: '', meaning: 'kernel, memcpy, memset or iteration' },
    { name: 'name', type: 'text', unit: '', meaning: 'kernel name, or the direction of a copy' },
    { name: 'start_ns', type: 'ns', unit: 'ns', meaning: 'start on the device, on the run’s clock' },
    { name: 'duration_ns', type: 'ns', unit: 'ns', meaning: 'end - start on the device' },
    { name: 'device', type: 'int32', unit: '', meaning: 'GPU index' },
    { name: 'stream', type: 'int32', unit: '', meaning: 'stream id' },
    { name: 'correlation', type: 'int32', unit: '', meaning: 'the same number as its launch call in spans' },
    { name: 'threads', type: 'float64', unit: '', meaning: 'threads of the whole grid' },
    { name: 'block_threads', type: 'int32', unit: '', meaning: 'threads of a block' },
    { name: 'registers', type: 'int32', unit: '', meaning: 'registers of a thread' },
    {
      name: 'shared_bytes',
      type: 'int32',
      unit: 'bytes',
      meaning: 'static and dynamic shared memory of a block',
    },
    {
      name: 'bytes',
      type: 'float64',
      unit: 'bytes',
      meaning: 'bytes of a copy or memset; of a kernel where they are known',
    },
    {
      name: 'flops',
      type: 'float64',
      unit: 'flop',
      meaning: 'floating-point operations where they are known',
    },
    { name: 'source', type: 'text', unit: '', meaning: 'recorded by: cupti or host' },
  ],
};

/** Named stretches of host time: NVTX ranges and CUDA calls. */
export const spansTable: TableSchema = {
  name: 'spans',
  columns: [
    { name: 'iteration', type: 'int32', unit: '', meaning: 'measured iteration, from 0; absent outside one' },
    { name: 'variant', type: 'text', unit: '', meaning: 'the variant that was running' },
    { name: 'kind', type: 'text', unit: '', meaning: 'range, driver or runtime' },
    { name: 'name', type: 'text', unit: '', meaning: 'name of the range or of the call' },
    { name: 'start_ns', type: 'ns', unit: 'ns', meaning: 'start, on the run’s clock' },
    { name: 'duration_ns', type: 'ns', unit: 'ns', meaning: 'end - start' },
    { name: 'thread', type: 'int32', unit: '', meaning: 'operating-system thread' },
    {
      name: 'correlation',
      type: 'int32',
      unit: '',
      meaning: 'of a launch call: the same number as in kernels',
    },
    { name: 'source', type: 'text', unit: '', meaning: 'recorded by: cupti or host' },
  ],
};
