import { findGpu } from '../hardware/gpus.ts';
import { groupLink } from '../hardware/links.ts';
import { findModel } from '../model/models.ts';
import { kvBlocksThatFit } from '../model/shape.ts';
import { nvlinkStepUs } from '../moe/collectives.ts';
import { InputError } from '../run/inputError.ts';
import type { InstanceSpec } from '../run/instanceSpec.ts';
import type { Parameter, ParameterValues } from '../run/parameter.ts';
import { type ClusterSpec, clusterSpec, type PoolRole } from '../run/spec.ts';
import { number, schedulerAndLink, servingTarget, text } from './servingBase.ts';

const parameters: readonly Parameter[] = [
  {
    kind: 'number',
    id: 'network_gb_per_s',
    label: 'Network',
    group: 'cluster',
    unit: 'GB/s',
    min: 0.1,
    max: 1000,
    log: true,
    default: 43,
    help: 'One direction per GPU between the two nodes: 43 is 400 Gbit/s RDMA as measured.',
  },
  {
    kind: 'number',
    id: 'network_latency_us',
    label: 'Network latency',
    group: 'cluster',
    unit: 'µs',
    min: 0,
    max: 1000,
    default: 15,
    help: 'Start-up of one message between the nodes; inside a node it is 2 µs.',
  },
];

/** A group of `size` GPUs, inside a node or half on either one. */
interface Group {
  readonly pool: PoolRole;
  readonly size: number;
  readonly spans: boolean;
}

const groups = (count: number, group: Group): Group[] => Array.from({ length: count }, () => group);

/** Sixteen GPUs in two nodes of eight. */
const layouts: Readonly<Record<string, readonly Group[]>> = {
  baseline: [
    { pool: 'prefill', size: 8, spans: true },
    ...groups(4, { pool: 'decode', size: 2, spans: true }),
  ],
  optimized: [
    { pool: 'prefill', size: 8, spans: false },
    ...groups(4, { pool: 'decode', size: 2, spans: false }),
  ],
  as_published: [
    { pool: 'prefill', size: 8, spans: false },
    ...groups(8, { pool: 'decode', size: 1, spans: false }),
  ],
  mixed: groups(8, { pool: 'mixed', size: 2, spans: false }),
};

function clusterOf(values: ParameterValues, variant: string): ClusterSpec {
  const model = findModel('llama-3.1-70b-fp8');
  const gpu = findGpu(text(values, 'gpu'));
  if (model === undefined || gpu === undefined) throw new InputError('parameter gpu: not in the list');
  const own = groupLink(gpu);
  const blockTokens = number(values, 'block_tokens');
  /**
   * A ring over two halves crosses the network twice. Rings run in parallel, one per network card on each side; a message
   * goes round all hops, so their mean latency counts.
   */
  const linkOf = ({ size, spans }: Group) => {
    const inside = own.bandwidth / 1e9;
    if (!spans) return { bandwidth_gb_per_s: inside, latency_us: nvlinkStepUs };
    return {
      bandwidth_gb_per_s: Math.min(inside, (number(values, 'network_gb_per_s') * size) / 2),
      latency_us: (2 * number(values, 'network_latency_us') + (size - 2) * nvlinkStepUs) / size,
    };
  };
  const layout = layouts[variant] ?? [];
  return clusterSpec.parse({
    model: model.id,
    instances: layout.map((group, i): InstanceSpec => {
      const blocks = kvBlocksThatFit(model, gpu.memoryBytes, group.size, blockTokens);
      if (blocks < 1) {
        throw new InputError(
          `parameter gpu: ${model.label} on ${group.size} × ${gpu.label} leaves no room for KV; choose a GPU with more memory`,
        );
      }
      return {
        name: `${group.pool}-${i}-tp${group.size}`,
        pool: group.pool,
        serves: 'modelled' as const,
        cost: {
          kind: 'roofline',
          gpu: gpu.id,
          tensor_parallel: group.size,
          compute_efficiency: number(values, 'compute_efficiency'),
          memory_efficiency: number(values, 'memory_efficiency'),
          iteration_overhead_us: number(values, 'iteration_overhead_us'),
          ...(group.size > 1 ? { all_reduce: { among: ['ring'], link: linkOf(group) } } : {}),
        },
        kv_blocks: blocks,
      };
    }),
    kv: { block_tokens: blockTokens, prefix_reuse: values['prefix_reuse'] === true },
    ...schedulerAndLink(values),
  });
}

export const inferencePlacement = servingTarget({
  id: 'ch15:inference_placement',
  chapter: 'ch15',
  title: 'Placement over two nodes',
  summary:
    'Sixteen GPUs in two nodes: which of them share a tensor-parallel group, and what do collectives over the network cost?',
  lesson: `**Look at** TTFT, where collectives over the network hurt, and at TPOT, where the size of the decode group decides.

**What was claimed.** Prefill and decode groups inside nodes, decode on one GPU, sticky sessions: "optimized". In the lab's own model it is slower: decode p50 38.5 instead of 22.8 ms and 78 instead of 102 thousand tokens/s. There the prefill's all-reduce is computed and never added to TTFT, gigabytes are mixed with gigabits, and micro-batches change nothing.

**What is simulated.** 16 H200 in two nodes, Llama 3.1 70B in FP8, ring all-reduces as NCCL was measured, over NVLink or, where a group spans the nodes, over one network card per GPU; KV caches move from prefill to decode instances. Three replicates, seed 0:

| | TTFT p50, p95 | TPOT p50 | goodput |
|---|---|---|---|
| groups span nodes | 2.60, 9.08 s | 13.3 ms | 0.70/s |
| the same inside nodes | 0.49, 2.97 s | 10.9 ms | 2.14/s |
| decode on single GPUs | 0.49, 2.97 s | 20.1 ms | 2.06/s |
| no pools, groups of 2 | 0.31, 1.86 s | 10.3 ms | 2.57/s |

**What holds.** Keep a tensor-parallel group inside its node: the prompts' all-reduces are large and hit the network's bandwidth. **What does not.** Decode on single GPUs, the lab's answer: TPOT is half as long again as across nodes, since one GPU reads all weights. And at this size pools are no gain: eight GPUs that only compute prompts are a queue of one server.

**What to try.** \`network_gb_per_s=10\`; \`prompt_median=500\`, where the all-reduces are small and latency rules; \`rate_rps=5\`.`,
  claims: ['ttft_ms', 'tpot_ms', 'goodput_rps'],
  replicates: 3,
  variants: [
    {
      id: 'baseline',
      label: 'Groups span nodes',
      description:
        'As published: one prefill group of 8 and four decode groups of 2, each half on either node.',
    },
    {
      id: 'optimized',
      label: 'Groups inside nodes',
      description: 'The same groups, each inside a node; only KV caches cross the network.',
    },
    {
      id: 'as_published',
      label: 'Decode on single GPUs',
      description:
        'The published answer: prefill group of 8 inside a node, eight decode instances of one GPU.',
    },
    {
      id: 'mixed',
      label: 'No pools',
      description: 'Eight groups of 2 inside nodes that compute prompts and decode.',
    },
  ],
  fixed: { model: 'llama-3.1-8b', instances: 1, tensor_parallel: 1, kv_memory: 'given', kv_blocks: 1 },
  defaults: {
    traffic: 'open',
    rate_rps: 3,
    duration_s: 180,
    prompt_median: 4000,
    output_median: 150,
    prefix_share: 0,
    slo_ttft_ms: 1000,
    slo_tpot_ms: 40,
  },
  parameters,
  parts: (variant, values, base) => ({
    ...base,
    cluster: clusterOf(values, variant),
    policy: { router: 'least_outstanding', router_parameters: {} },
  }),
});
