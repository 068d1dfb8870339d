import { type KernelSpec, kernelSpec } from '../kernels/kernelSpec.ts';
import { InputError } from '../run/inputError.ts';
import type { NumberParameter, Parameter, ParameterValues } from '../run/parameter.ts';
import type { EngineId } from '../run/spec.ts';
import type { Target } from './target.ts';
import { completeValues } from './values.ts';

/** A target whose variants are kernels on a GPU: measured in turn in one process, each verified over all elements. */
export interface KernelTarget extends Omit<Target, 'spec'> {
  readonly engines: readonly EngineId[];
  readonly kind: 'kernel';
  spec(request: {
    readonly variants: readonly string[];
    readonly parameters: ParameterValues;
    readonly seed: number;
    readonly iterations: number;
    readonly device: number;
  }): KernelSpec;
}

/** Measured rounds where none are asked for: enough for a narrow interval, seconds on a GPU. */
export const defaultKernelRounds = 30;

const whole = (
  id: string,
  label: string,
  [min, value, max]: readonly [number, number, number],
  help: string,
): NumberParameter => ({
  kind: 'integer',
  id,
  label,
  group: 'model',
  unit: '',
  min,
  max,
  log: true,
  default: value,
  help,
});

const warmUp: NumberParameter = {
  kind: 'integer',
  id: 'warm_up',
  label: 'Warm-up',
  group: 'measurement',
  unit: '',
  min: 0,
  max: 1000,
  default: 5,
  help: 'Iterations of each variant that are run first and thrown away: clocks, caches and lazy loading settle.',
};

function kernelTarget(target: Omit<KernelTarget, 'kind' | 'engines' | 'spec'>): KernelTarget {
  const parameters: readonly Parameter[] = [...target.parameters, warmUp];
  return {
    ...target,
    kind: 'kernel',
    engines: ['cuda'],
    parameters,
    spec({ variants, parameters: given, seed, iterations, device }) {
      const { warm_up, ...values } = completeValues(parameters, given);
      for (const variant of variants) {
        if (target.variants.some(({ id }) => id === variant)) continue;
        throw new InputError(
          `${target.id} has no variant "${variant}", expected one of ${target.variants.map(({ id }) => id).join(', ')}`,
        );
      }
      return kernelSpec.parse({
        schema: 1,
        kind: 'kernel',
        target: target.id,
        variant: variants.length === 1 ? (variants[0] ?? '') : 'a_b',
        engine: 'cuda',
        variants,
        device,
        parameters: values,
        seed,
        iterations,
        warm_up,
      });
    },
  };
}

export const kernelTargets: readonly KernelTarget[] = [
  kernelTarget({
    id: 'ch17:memory',
    chapter: 'ch17',
    title: 'Feeding a model from host memory',
    summary:
      'Widened floats from pageable memory and a launch per kernel, against bytes from page-locked memory and one graph.',
    lesson: `**Look at** the time per iteration and at the bytes that go over the host link.

**What holds.** A copy from ordinary memory stops the caller, goes through a buffer of the driver, and moves four bytes where one would do: the host widened what the GPU can widen itself. Page-locked memory lets the copy engine read directly, and the bytes shrink to a quarter. One graph replaces five launches per batch.

**What to try.** Make \`width\` small: launches dominate. Make it large: arithmetic hides the copy, and both variants come together.`,
    variants: [
      {
        id: 'baseline',
        label: 'Pageable, launch by launch',
        description:
          'The host widens each batch to fp32, copies it from ordinary memory, launches each kernel.',
      },
      {
        id: 'optimized',
        label: 'Page-locked, one graph',
        description: 'Bytes go over as they are from page-locked memory; one graph does the rest.',
      },
    ],
    parameters: [
      whole('width', 'Width', [64, 2048, 8192], 'Inputs and outputs of each of the three layers.'),
      whole('rows', 'Rows', [1, 512, 8192], 'Rows of one batch.'),
      whole('batches', 'Batches', [1, 8, 64], 'Batches of one iteration.'),
    ],
  }),
  kernelTarget({
    id: 'ch15:continuous_batching',
    chapter: 'ch15',
    title: 'Continuous batching',
    summary:
      'A batch that runs until its longest request is done, against slots that are filled again at once.',
    lesson: `**Look at** the ratio, then at \`static\`, which differs from the baseline in the synchronisation alone.

**What holds.** Rows of finished requests are computed and thrown away until the longest of their group is done. With lengths spread evenly up to \`longest\`, about half of the work is thrown away. Continuous batching computes live rows only. Part of the baseline's loss is another mistake: it waits for the GPU after every step. \`static\` shows the two apart.

**What to try.** \`--variant static,optimized\`. \`longest\` = 1: nothing is left to gain.`,
    variants: [
      {
        id: 'baseline',
        label: 'Static, host in the loop',
        description: 'Groups run until their longest request is done; the host waits after every step.',
      },
      {
        id: 'static',
        label: 'Static',
        description: 'The same groups without the wait.',
      },
      {
        id: 'optimized',
        label: 'Continuous',
        description: 'A finished request’s slot goes to the next one at once; only live rows are computed.',
      },
    ],
    parameters: [
      whole('width', 'Width', [32, 1024, 8192], 'State of one request.'),
      whole('hidden', 'Hidden', [32, 2048, 32768], 'Width of the hidden layer.'),
      whole('requests', 'Requests', [1, 144, 4096], 'Requests of one iteration.'),
      whole('slots', 'Slots', [1, 12, 256], 'Requests that run together.'),
      whole(
        'longest',
        'Longest',
        [1, 32, 512],
        'Steps of the longest request; lengths are even between 1 and this.',
      ),
    ],
  }),
  kernelTarget({
    id: 'ch17:routing_static',
    chapter: 'ch17',
    title: 'Routing tokens to experts',
    summary: 'A launch per token to choose its expert, against one launch for all tokens.',
    lesson: `**Look at** the launches of one iteration and at the time they cost.

**What holds.** Choosing the best of some hundred scores is less work than launching a kernel. One launch per token costs the launch latency times the tokens, whatever the GPU could do; one launch for all of them costs it once. The choices are outputs and are compared exactly.

**What to try.** \`tokens\` = 1: the variants are the same. More \`layers\`: the network after the choice hides the difference.`,
    variants: [
      { id: 'baseline', label: 'Token by token', description: 'One launch per token.' },
      { id: 'optimized', label: 'All at once', description: 'One launch for all tokens.' },
    ],
    parameters: [
      whole('tokens', 'Tokens', [1, 512, 65536], 'Tokens that choose an expert.'),
      whole('experts', 'Experts', [2, 1024, 8192], 'Scores per token.'),
      whole('width', 'Width', [32, 2048, 8192], 'Width of the fp16 network after the choice.'),
      whole('layers', 'Layers', [1, 24, 96], 'Its layers.'),
      whole('rows', 'Rows', [1, 16, 512], 'Its rows.'),
    ],
  }),
  kernelTarget({
    id: 'native:copy_overlap',
    chapter: 'native',
    title: 'Copies beside arithmetic',
    summary: 'Copy in, compute, copy out one after the other, against three streams that overlap them.',
    lesson: `**Look at** the GB/s over the host link.

**What holds.** A GPU copies in, computes and copies out at the same time if the work comes in chunks on several streams and the host memory is page-locked. The best it can reach is the longest of the three instead of their sum: at most a third of the time.

**What to try.** Vary \`steps\`: where arithmetic and copies take equally long the overlap gains most; far from there one of them hides the rest.`,
    variants: [
      {
        id: 'baseline',
        label: 'One stream',
        description: 'Copy in, compute, copy out, one after the other.',
      },
      {
        id: 'optimized',
        label: 'Three streams',
        description: 'While one chunk is computed, the next comes in and the last goes out.',
      },
    ],
    parameters: [
      whole('chunks', 'Chunks', [1, 12, 128], 'Chunks of one iteration.'),
      whole('chunkFloats', 'Floats per chunk', [1024, 4194304, 67108864], 'Size of a chunk.'),
      whole('steps', 'Steps', [1, 1500, 100000], 'Fused multiply-adds per element.'),
    ],
  }),
  kernelTarget({
    id: 'native:copy',
    chapter: 'native',
    title: 'Copying device memory',
    summary: 'A 4-byte word per thread, against 16-byte words with four loads in flight per thread.',
    lesson: `**Look at** the bytes per second, and at the roofline: both variants move the same bytes, so they lie on the same spot of the intensity axis and differ in height alone.

**What holds.** A copy does no arithmetic: its only roof is the memory's. Both variants are coalesced, so neither moves a byte too many; what differs is how many loads are in flight. On an H200, 1,024 MiB took 0.793 ms in 4-byte words and 0.558 ms in 16-byte words (2.71 and 3.85 TB/s). With \`--counters\` the bytes are counted by the hardware: within 0.2 % of twice the size for both.

**What to try.** A small copy (16 MiB) lives in L2 and exceeds the HBM roof: the bytes never leave the cache. Time and bytes are only worth comparing at several times the L2's size.`,
    variants: [
      { id: 'baseline', label: '4-byte words', description: 'Each thread copies one 4-byte word.' },
      {
        id: 'optimized',
        label: '16-byte words, four in flight',
        description: 'Each thread loads four 16-byte words before it stores the first.',
      },
    ],
    parameters: [whole('mebibytes', 'MiB', [1, 512, 4096], 'Size of the copy; twice as much is moved.')],
  }),
  kernelTarget({
    id: 'native:gemm',
    chapter: 'native',
    title: 'One matrix product',
    summary: 'The same product on CUDA cores in fp32, and on tensor cores in TF32 and bf16.',
    lesson: `**Look at** the TFLOP/s, then at the roofline: the three variants do the same work under three different roofs.

**What holds.** The baseline is our own tiled kernel on the CUDA cores; the other two are cuBLASLt on the tensor cores, with the fastest of the library's first four choices. bf16 also halves the bytes. All three multiply the same numbers, rounded to bf16 once, and are held against a float64 product; the tolerance is what rounding the output to bf16 takes. Most of the gain over the baseline is the tensor cores', and some is the library's: \`tf32\` against \`optimized\` shows what the format alone is worth. On an H200 a 4,096³ product reached 30, 391 and 736 TFLOP/s; with 128 rows by 8,192 × 8,192 it was 21, 186 and 368, since a product that thin waits for its weights.

**What to try.** \`rows\` = 128: a decode step's shape, whose roof is the memory and not the tensor cores. \`--counters\`: the operations counted by the hardware against 2·M·N·K, and the bytes against each operand once. Large products read their operands several times; the excess is the tiles' doing.`,
    variants: [
      { id: 'baseline', label: 'fp32, CUDA cores', description: 'Our own 64×64 tiles in fp32.' },
      { id: 'tf32', label: 'TF32, tensor cores', description: 'cuBLASLt, fp32 in memory.' },
      { id: 'optimized', label: 'bf16, tensor cores', description: 'cuBLASLt, bf16 in memory.' },
    ],
    parameters: [
      whole('rows', 'Rows (M)', [1, 2048, 16384], 'Rows of the product: tokens of a batch.'),
      whole('inputs', 'Inputs (K)', [8, 4096, 32768], 'Length of each sum.'),
      whole('outputs', 'Outputs (N)', [8, 4096, 32768], 'Columns of the product.'),
    ],
  }),
  kernelTarget({
    id: 'labs/dynamic_router:topology_probe',
    chapter: 'labs',
    title: 'Topology probe',
    summary:
      'Every link of the machine once, host and GPUs: as a program that knows nothing of the wiring, against page-locked memory and peer access.',
    lesson: `**Look at** the table of links: GB/s from the host to each GPU, back, and between each pair; beside it the NUMA node and the processors near each GPU.

**What the original did.** It asked NVML for the NUMA node of each GPU and wrote it to a file for the router's score. It shut NVML down inside its loop, so only GPU 0 was told; its PCI addresses had eight digits of domain where the system has four, so the fallback found nothing; it measured no link, and no harness could find it.

**What holds.** A router that moves KV between GPUs needs to know what a link carries, and that follows from how the bytes are sent as much as from the wires. The baseline copies from ordinary memory and sends a pair's bytes by way of the host; the optimized variant uses page-locked memory, and between GPUs peer access where the driver allows it. Each link's bytes are compared one by one with what was sent.

**Measured** on two H200s of one host (18 NVLinks between them, PCIe 5 ×16, 64 MiB over each link): host to GPU 8.1 against 54 GB/s, GPU to host 16 against 55, between the GPUs 5.3 by way of the host against 188 and 368 GB/s directly. The first pair is the slower one each time: its copy comes after milliseconds in which NVLink was idle. With 512 MiB in a row (\`dyno topology --measure\`) both directions carry 395 of the nominal 478 GB/s, and NCCL's all-reduce 290 to 294.

**What to try.** \`mebibytes\` = 1: the latency of a copy shows. On one GPU there are only the two host links.`,
    variants: [
      {
        id: 'baseline',
        label: 'Blind',
        description: 'Ordinary memory; between GPUs down to the host and up again.',
      },
      {
        id: 'optimized',
        label: 'Informed',
        description: 'Page-locked memory; between GPUs peer access where the driver allows it.',
      },
    ],
    parameters: [whole('mebibytes', 'Size', [1, 64, 1024], 'MiB copied over each link in each iteration.')],
  }),
];

export const findKernelTarget = (id: string): KernelTarget | undefined =>
  kernelTargets.find((target) => target.id === id) ??
  kernelTargets.find((target) => target.id.split(':')[1] === id);
