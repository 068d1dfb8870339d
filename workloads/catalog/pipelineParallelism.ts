import { findGpu } from '../hardware/gpus.ts';
import { groupLink } from '../hardware/links.ts';
import { findModel } from '../model/models.ts';
import { kvBlocksThatFit } from '../model/shape.ts';
import { nvlinkStepUs } from '../moe/collectives.ts';
import type { CostSpec } from '../run/costSpec.ts';
import { InputError } from '../run/inputError.ts';
import type { Parameter, ParameterValues } from '../run/parameter.ts';
import { type ClusterSpec, clusterSpec } from '../run/spec.ts';
import { number, schedulerAndLink, servingTarget, text } from './servingBase.ts';

const parameters: readonly Parameter[] = [
  {
    kind: 'choice',
    id: 'dense_model',
    label: 'Model',
    group: 'model',
    default: 'llama-3.1-70b',
    choices: [
      { id: 'llama-3.1-70b', label: 'Llama 3.1 70B (BF16)' },
      { id: 'qwen3-32b', label: 'Qwen3 32B' },
      { id: 'llama-3.1-8b', label: 'Llama 3.1 8B' },
    ],
    models: true,
    help: 'Its layers are divided over the stages.',
  },
  {
    kind: 'integer',
    id: 'stages',
    label: 'Stages',
    group: 'cluster',
    unit: 'GPUs',
    min: 2,
    max: 8,
    default: 4,
    help: 'GPUs of one replica, and how many ways its layers (or, with tensor parallelism, its matrices) are divided.',
  },
  {
    kind: 'integer',
    id: 'replicas',
    label: 'Replicas',
    group: 'cluster',
    unit: 'replicas',
    min: 1,
    max: 64,
    default: 2,
    help: 'Copies of the model, each on as many GPUs as it has stages.',
  },
  {
    kind: 'number',
    id: 'hop_gb_per_s',
    label: 'Link of a replica',
    group: 'cluster',
    unit: 'GB/s',
    min: 0.1,
    max: 10_000,
    log: true,
    default: 43,
    help: 'Between GPUs of one replica, one direction: 43 is 400 Gbit/s RDMA, 51 PCIe 5, 360 NVLink 4. Activations hop over it; all-reduces of tensor parallelism run over it.',
  },
  {
    kind: 'number',
    id: 'hop_latency_us',
    label: 'Latency of a hop',
    group: 'cluster',
    unit: 'µs',
    min: 0,
    max: 1000,
    default: 15,
    help: 'Start-up of one message between two GPUs: about 15 µs by RDMA, 2 µs by NVLink.',
  },
];

function clusterOf(values: ParameterValues, variant: string): ClusterSpec {
  const model = findModel(text(values, 'dense_model'));
  const gpu = findGpu(text(values, 'gpu'));
  if (model === undefined || gpu === undefined)
    throw new InputError('parameter dense_model or gpu: not in the lists');
  const stages = number(values, 'stages');
  const blockTokens = number(values, 'block_tokens');
  const blocks = kvBlocksThatFit(model, gpu.memoryBytes, stages, blockTokens);
  const slots = variant === 'optimized' ? stages : variant === 'more_slots' ? 2 * stages : 1;
  if (blocks < slots) {
    throw new InputError(
      `parameter stages: ${model.label} on ${stages} × ${gpu.label} leaves no room for KV; raise stages or choose a smaller model`,
    );
  }
  const link = {
    bandwidth_gb_per_s: number(values, 'hop_gb_per_s'),
    latency_us: number(values, 'hop_latency_us'),
  };
  const tensor = variant === 'tensor_parallel' || variant === 'tensor_nvlink';
  const own = groupLink(gpu);
  const cost = (replica: number): CostSpec => ({
    kind: 'roofline',
    gpu: gpu.id,
    tensor_parallel: tensor ? stages : 1,
    compute_efficiency: number(values, 'compute_efficiency'),
    memory_efficiency: number(values, 'memory_efficiency'),
    iteration_overhead_us: number(values, 'iteration_overhead_us'),
    ...(tensor
      ? {
          all_reduce: {
            among: ['ring'] as 'ring'[],
            link:
              variant === 'tensor_nvlink'
                ? { bandwidth_gb_per_s: own.bandwidth / 1e9, latency_us: nvlinkStepUs }
                : link,
          },
        }
      : { pipeline: { line: `line-${replica}`, stages, link } }),
  });
  return clusterSpec.parse({
    model: model.id,
    instances: Array.from({ length: number(values, 'replicas') * slots }, (_, i) => ({
      name: slots === 1 ? `${gpu.id}-${i}` : `${gpu.id}-${Math.floor(i / slots)}.${i % slots}`,
      pool: 'mixed',
      serves: 'modelled' as const,
      cost: cost(Math.floor(i / slots)),
      kv_blocks: Math.floor(blocks / slots),
    })),
    kv: { block_tokens: blockTokens, prefix_reuse: values['prefix_reuse'] === true },
    ...schedulerAndLink(values),
  });
}

export const pipelineParallelism = servingTarget({
  id: 'ch17:pipeline_parallelism',
  chapter: 'ch17',
  title: 'Pipeline and tensor parallelism',
  summary:
    'A model on four GPUs: layers one after the other, with micro-batches in every stage, or every matrix divided. The bubble is measured.',
  lesson: `**Look at** the bubble, then at TPOT: one does not decide the other.

**What was claimed.** Four stages and four micro-batches; the lab reports a bubble of (S − 1)/M = 0.75. Filling and draining four stages with four micro-batches idles (S − 1)/(M + S − 1) = 0.43 of them, and its stage times are times to enqueue. On one GPU the "pipeline" is a compiled model; there is no KV cache and no request.

**What is simulated.** Each stage is a server, activations hop over a link, and each micro-batch slot holds requests of its own with its share of the KV cache; a sequence gets its next token when its micro-batch has left the last stage. The bubble is what the stages idle while there is work in the line. With equal stages and free hops it equals (p − 1)/(m + p − 1) exactly; a test holds it.

**What holds**, Llama 3.1 70B on 2 × 4 H100, 400 Gbit/s between the GPUs of a replica, three replicates, seed 0:

| | bubble | TTFT p95 | TPOT p50 |
|---|---|---|---|
| one micro-batch | 75.1 % | 1.40 s | 83 ms |
| one per stage | 24.7 % | 0.81 s | 74 ms |
| two per stage | 16.5 % | 0.80 s | 134 ms |
| tensor parallelism, same link | – | 0.63 s | 24 ms |
| tensor parallelism, NVLink | – | 0.23 s | 15 ms |

A full pipeline serves more, but no token is faster: every micro-batch reads all weights of every stage, so four small ones take four times the reading of one, and with two per stage the smallest bubble has the worst TPOT. Tensor parallelism reads each weight once for everybody.

**Where pipelines win.** A slow link: with \`hop_gb_per_s=1.25 hop_latency_us=30\` (10 Gbit/s Ethernet) the pipeline's TPOT is 80 ms, tensor parallelism's 3.2 s. **What to try.** Prompts only (\`output_median=1\`); \`stages=8\`; \`rate_rps=0.3\`: with few requests the slots are empty, and the bubble is back at 41 %.`,
  variants: [
    {
      id: 'baseline',
      label: 'One micro-batch',
      description: 'Layers divided over the stages, one batch at a time: one stage works, the others wait.',
    },
    {
      id: 'optimized',
      label: 'A micro-batch per stage',
      description:
        'As many batches under way as there are stages, each with its share of the requests and the KV cache.',
    },
    {
      id: 'more_slots',
      label: 'Two micro-batches per stage',
      description: 'Twice as many, each half as large: fewer gaps, more readings of the weights.',
    },
    {
      id: 'tensor_parallel',
      label: 'Tensor parallelism, same link',
      description: 'Every matrix divided over the GPUs; two all-reduces per layer over the same link.',
    },
    {
      id: 'tensor_nvlink',
      label: 'Tensor parallelism, NVLink',
      description: 'The same where the GPUs of a replica share an NVLink island.',
    },
  ],
  fixed: { model: 'llama-3.1-8b', instances: 1, tensor_parallel: 1, kv_memory: 'given', kv_blocks: 1 },
  defaults: {
    gpu: 'h100-sxm',
    traffic: 'open',
    rate_rps: 4,
    duration_s: 240,
    prompt_median: 500,
    output_median: 200,
    prefix_share: 0,
    max_batched_tokens: 2048,
    slo_tpot_ms: 80,
  },
  parameters,
  parts: (variant, values, base) => ({
    ...base,
    cluster: clusterOf(values, variant),
    policy: { router: 'least_outstanding', router_parameters: {} },
  }),
});
