import type { Target } from '../../../workloads/catalog/target.ts';

/** TEMPORARY: stands in for workloads/catalog/catalog.ts until that lands. */
export const targets: readonly Target[] = [
  {
    id: 'labs/dynamic_router:dynamic_router',
    chapter: 'labs/dynamic_router',
    title: 'Dynamic router',
    summary: 'Stand-in',
    lesson: 'Stand-in',
    engines: ['sim'],
    variants: [
      { id: 'baseline', label: 'Baseline', description: 'round robin' },
      { id: 'optimized', label: 'Optimized', description: 'score' },
    ],
    parameters: [
      {
        id: 'ttft_slo_ms',
        label: 'TTFT SLO',
        group: 'slo',
        help: 'SLO',
        kind: 'number',
        unit: 'ms',
        min: 1,
        max: 100000,
        default: 350,
      },
    ],
    spec: (request) => ({
      schema: 1,
      target: 'labs/dynamic_router:dynamic_router',
      variant: request.variant,
      engine: request.engine,
      parameters: { ...request.parameters },
      traffic: request.traffic ?? { kind: 'synthetic', requests: 6000, duration_s: 3600, speedup: 1 },
      cluster: {
        model: 'llama-3.1-8b',
        instances: Array.from({ length: 8 }, (_, i) => ({
          name: `i${i}`,
          pool: 'mixed',
          cost: {
            kind: 'rates',
            prefill_tokens_per_s: 50000,
            decode_tokens_per_s: 5000,
            iteration_overhead_us: 0,
          },
          kv_blocks: 5859,
        })),
        scheduler: { max_batched_tokens: 8192, max_sequences: 256 },
        kv: { block_tokens: 512, prefix_reuse: true },
        link: { bandwidth_gb_per_s: 50, latency_us: 10 },
      },
      policy: { router: 'round-robin', router_parameters: {} },
      slo: { ttft_ms: 350, tpot_ms: 45 },
      seed: request.seed,
      iterations: request.iterations,
      detail: { requests: 'all', decisions: 'all', iterations: 'all' },
    }),
  },
];
