import type { HostSpec } from '../run/hostSpec.ts';
import type { Parameter, ParameterValues } from '../run/parameter.ts';
import { number, servingTarget } from './servingBase.ts';

const parameters: readonly Parameter[] = [
  {
    kind: 'number',
    id: 'host_us',
    label: 'Host work per pass',
    group: 'scheduler',
    unit: 'µs',
    min: 0,
    max: 1_000_000,
    default: 3000,
    help: 'Scheduling, preparing inputs and launching one pass on the CPU.',
  },
  {
    kind: 'number',
    id: 'host_us_per_sequence',
    label: 'Host work per sequence',
    group: 'scheduler',
    unit: 'µs',
    min: 0,
    max: 100_000,
    default: 50,
    help: 'Taking each sequence’s token, detokenising and streaming it.',
  },
];

const hostOf = (values: ParameterValues, overlapped: boolean): HostSpec => ({
  us_per_pass: number(values, 'host_us'),
  us_per_sequence: number(values, 'host_us_per_sequence'),
  overlapped,
});

export const monolithic = servingTarget({
  id: 'ch15:inference_monolithic',
  chapter: 'ch15',
  title: 'Host work per token',
  summary:
    'One process schedules, runs the GPU and hands tokens out. In turn, the GPU waits for the CPU after every token; overlapped, only where the CPU is the slower one.',
  lesson: `**Look at** TPOT of the three variants at 1 and 16 requests per second; then raise the host work per sequence to 400 µs.

**What was claimed.** One call for 128 tokens instead of 128 calls with a device sync each is 1.35 times faster; the fast variant had no TTFT and no TPOT to show, and the "model" no attention. A server cannot make one call: every token must be sampled, checked for its end and sent before the next pass knows its batch.

**What holds.** The CPU's work can go on beside the GPU's. Simulated, Llama 3.1 8B on an H100, 3 ms of host work per pass and 50 µs per sequence: in turn, TPOT is 9.2 ms at 1 request/s where the GPU alone needs 5.9, and 35 ms at 16/s where it needs 12.1: slower passes make larger batches, which cost more host work. Overlapped, TPOT is the GPU's own; TTFT p95 pays 6 to 17 ms for being planned a pass ahead. At 400 µs per sequence the CPU is the bottleneck at 16/s and overlap helps little: 137 → 99 ms, and the queue grows without end in both.

**How it is modelled.** Host work is a constant per pass and one per sequence; in turn it is added to the pass, overlapped the longer of the two counts, and who arrives during a pass is computed in the pass after the next (vLLM's async scheduling). The defaults are round numbers, not a measurement; vLLM's own profile of Llama 3 8B on one H100, before it overlapped anything, has 33 % of the time in the HTTP server and 29 % in scheduling (its 0.6.0 announcement, September 2024).`,
  variants: [
    {
      id: 'baseline',
      label: 'In turn',
      description: 'After each pass the CPU takes the tokens and prepares the next one; the GPU waits.',
    },
    {
      id: 'optimized',
      label: 'Overlapped',
      description: 'The next pass is prepared while one runs: a pass takes as long as the slower of the two.',
    },
    { id: 'free', label: 'No host work', description: 'The GPU alone: what there is to gain.' },
  ],
  parameters,
  defaults: {
    traffic: 'open',
    rate_rps: 4,
    duration_s: 120,
    prompt_median: 500,
    output_median: 200,
    prefix_share: 0,
    gpu: 'h100-sxm',
    instances: 1,
    iteration_overhead_us: 100,
  },
  parts(variant, values, base) {
    if (variant === 'free') return base;
    const overlapped = variant === 'optimized';
    const scheduler = {
      ...base.cluster.scheduler,
      host: hostOf(values, overlapped),
      // What a pass brings is known one pass later.
      ...(overlapped ? { plans_ahead: true } : {}),
    };
    return { ...base, cluster: { ...base.cluster, scheduler } };
  },
});
