import type { Parameter, ParameterValues } from '../run/parameter.ts';
import type { RouterViewSpec } from '../run/routerViewSpec.ts';
import { number, text } from './servingBase.ts';

/** How many routers there are, and what they see of the prefix caches. The defaults are one router that sees the truth. */
export const routerViewParameters: readonly Parameter[] = [
  {
    kind: 'integer',
    id: 'router_replicas',
    label: 'Routers',
    group: 'policy',
    unit: 'routers',
    min: 1,
    max: 64,
    default: 1,
    help: 'Routers side by side. Each has its own telemetry and remembers only what it itself sent: with old telemetry they herd together.',
  },
  {
    kind: 'choice',
    id: 'router_deal',
    label: 'Dispatch',
    group: 'policy',
    default: 'round_robin',
    choices: [
      { id: 'round_robin', label: 'Round robin', help: 'Each router gets every n-th request.' },
      {
        id: 'session',
        label: 'By session',
        help: 'All turns of a conversation meet the same router; known by the session, or by the prompt’s second block.',
      },
    ],
    help: 'Which router a request goes to, where there are several.',
  },
  {
    kind: 'choice',
    id: 'prefix_view',
    label: 'View of the prefix caches',
    group: 'policy',
    default: 'exact',
    choices: [
      { id: 'exact', label: 'Exact', help: 'Routers see the caches as they are.' },
      {
        id: 'events',
        label: 'Events',
        help: 'An index fed by events of the instances (block stored, block evicted) that arrive late.',
      },
      {
        id: 'own',
        label: 'Own tree',
        help: 'Each router remembers what it itself sent where, as a least recently used cache (SGLang).',
      },
    ],
    help: 'How routers know which prefixes an instance holds.',
  },
  {
    kind: 'number',
    id: 'prefix_delay_ms',
    label: 'Delay of cache events',
    group: 'policy',
    unit: 'ms',
    min: 0,
    max: 600_000,
    default: 100,
    when: { parameter: 'prefix_view', is: ['events'] },
    help: 'From a block stored or evicted until the routers’ index knows.',
  },
];

/** The spec’s view, from the values of `routerViewParameters`; undefined for one router that sees the truth. */
export function routerViewOf(values: ParameterValues): RouterViewSpec | undefined {
  const replicas = number(values, 'router_replicas');
  const kind = text(values, 'prefix_view');
  if (replicas === 1 && kind === 'exact') return undefined;
  return {
    replicas,
    deal: text(values, 'router_deal') === 'session' ? 'session' : 'round_robin',
    prefix:
      kind === 'events'
        ? { kind: 'events', delay_ms: number(values, 'prefix_delay_ms') }
        : { kind: kind === 'own' ? 'own' : 'exact' },
  };
}
