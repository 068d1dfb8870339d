import { routers } from '../routing/routers.ts';
import { score } from '../routing/score.ts';
import type { Parameter } from '../run/parameter.ts';
import { routerViewParameters } from './routerViewParameters.ts';
import {
  clusterParameters,
  schedulerParameters,
  sloParameters,
  trafficParameters,
} from './servingParameters.ts';

const onlyHomogeneous = { parameter: 'scenario', is: ['homogeneous'] } as const;
const onlyLab = { parameter: 'scenario', is: ['flagship_vs_mid', 'mig_slices'] } as const;

/** The lab’s scenarios bring their own traffic, cluster and objectives. */
const homogeneous = (parameters: readonly Parameter[]): Parameter[] =>
  parameters.map((p) => (p.when === undefined ? { ...p, when: onlyHomogeneous } : p));

const otherRouters = routers.filter(
  (r) => !['round_robin', 'score', 'as_published', 'complexity'].includes(r.id),
);

/** What a person may choose of the router lab. Every router brings its own parameters along. */
export const dynamicRouterParameters: readonly Parameter[] = [
  {
    kind: 'choice',
    id: 'scenario',
    label: 'Scenario',
    group: 'cluster',
    default: 'homogeneous',
    choices: [
      {
        id: 'homogeneous',
        label: 'Like GPUs',
        help: 'Equal instances of one model, timed by a roofline of its shape on the data sheet.',
      },
      {
        id: 'flagship_vs_mid',
        label: 'Flagship and mid GPUs (lab)',
        help: 'The lab’s six GPUs with fixed rates: two fast at prompts, one fast at decoding, three middling.',
      },
      {
        id: 'mig_slices',
        label: 'One GPU and four slices (lab)',
        help: 'The lab’s five: one whole GPU and four slices of one.',
      },
    ],
    help: 'Which cluster the router works on.',
  },
  ...homogeneous(trafficParameters),
  {
    kind: 'number',
    id: 'arrivals_per_tick',
    label: 'Arrivals per tick (λ)',
    group: 'traffic',
    unit: 'requests / 50 ms',
    min: 0.01,
    max: 50,
    step: 0.1,
    default: 0.9,
    when: onlyLab,
    help: 'Mean of the lab’s Poisson arrivals per tick of 50 ms; 0.9 is 18 requests per second.',
  },
  {
    kind: 'number',
    id: 'burst_factor',
    label: 'Burst factor',
    group: 'traffic',
    unit: '×',
    min: 1,
    max: 20,
    default: 1,
    when: onlyLab,
    help: 'One tick in five has this many times the arrivals.',
  },
  {
    kind: 'integer',
    id: 'ticks',
    label: 'Ticks',
    group: 'traffic',
    unit: 'ticks',
    min: 10,
    max: 1_000_000,
    log: true,
    default: 4000,
    when: onlyLab,
    help: 'Length of the run in ticks of 50 ms. The lab ran 400; longer runs give narrower intervals.',
  },
  ...homogeneous(clusterParameters),
  {
    kind: 'integer',
    id: 'published_prefill_instances',
    label: 'Prefill instances, as published',
    group: 'cluster',
    unit: 'instances',
    min: 1,
    max: 512,
    default: 2,
    when: onlyHomogeneous,
    variants: ['as_published'],
    help: 'The published design needs two pools: so many instances compute prompts, the rest decode.',
  },
  ...schedulerParameters,
  ...score.parameters.map((p): Parameter => ({ ...p, variants: ['optimized'] })),
  {
    kind: 'choice',
    id: 'router',
    label: 'Policy',
    group: 'policy',
    default: 'sglang_cache_aware',
    variants: ['policy'],
    choices: otherRouters.map((router) => ({ id: router.id, label: router.label, help: router.help })),
    help: 'A policy as its authors publish it.',
  },
  {
    kind: 'choice',
    id: 'policy_refresh',
    label: 'Telemetry refresh of the policy',
    group: 'policy',
    default: 'published',
    variants: ['policy'],
    choices: [
      { id: 'published', label: 'As published' },
      { id: '0', label: 'Always fresh' },
      { id: '100', label: '100 ms' },
      { id: '1000', label: '1 s' },
      { id: '10000', label: '10 s' },
    ],
    help: 'How old the telemetry may be on which the policy decides.',
  },
  ...otherRouters.flatMap((router) =>
    router.parameters
      .filter((p) => p.id !== 'telemetry_refresh_ms')
      .map(
        (p): Parameter => ({ ...p, when: { parameter: 'router', is: [router.id] }, variants: ['policy'] }),
      ),
  ),
  ...routerViewParameters,
  ...homogeneous(sloParameters),
  {
    kind: 'number',
    id: 'lab_slo_ttft_ms',
    label: 'TTFT objective (lab)',
    group: 'slo',
    unit: 'ms',
    min: 1,
    max: 600_000,
    log: true,
    default: 350,
    when: onlyLab,
    help: 'The lab’s objective for the first token.',
  },
  {
    kind: 'number',
    id: 'lab_slo_tpot_ms',
    label: 'TPOT objective (lab)',
    group: 'slo',
    unit: 'ms',
    min: 0.1,
    max: 60_000,
    log: true,
    default: 45,
    when: onlyLab,
    help: 'The lab’s objective per output token.',
  },
];
