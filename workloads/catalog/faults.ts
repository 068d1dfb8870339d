import { InputError } from '../run/inputError.ts';
import type { ParameterValues } from '../run/parameter.ts';
import type { TimelineEvent } from '../run/timelineSpec.ts';
import { integerParameter, numberParameter } from './fleetParameters.ts';
import { number, servingTarget } from './servingBase.ts';

function timelineOf(values: ParameterValues): TimelineEvent[] {
  const count = number(values, 'instances');
  const crashed = number(values, 'crashed_instances');
  if (crashed >= count) {
    throw new InputError(
      `parameter crashed_instances: ${crashed} of ${count} instances leave none, expected at most ${count - 1}`,
    );
  }
  const crashAt = number(values, 'crash_at_s');
  const slowAt = number(values, 'slow_at_s');
  const events: TimelineEvent[] = [];
  for (let instance = 0; instance < crashed; instance++) {
    events.push({ event: 'crash', at_s: crashAt, instance });
    events.push({
      event: 'recover',
      at_s: crashAt + number(values, 'recover_after_s'),
      instance,
      startup_s: number(values, 'startup_s'),
    });
  }
  const slow = count - 1;
  events.push({ event: 'slow', at_s: slowAt, instance: slow, factor: number(values, 'slow_factor') });
  events.push({ event: 'slow', at_s: slowAt + number(values, 'slow_for_s'), instance: slow, factor: 1 });
  return events;
}

export const faults = servingTarget({
  id: 'serving:faults',
  chapter: 'serving',
  title: 'Crashes and stragglers',
  summary: 'What does a lost instance cost, and how much of it is the router’s fault?',
  lesson: `**Look at** TTFT p99 around the two marks, then at the requests lost and the bounces.

**What happens.** At 60 s one of eight instances crashes: its KV cache, queue and batch are gone. Its requests go back to the router and start again from their prompts; tokens that were streamed stay counted once, and a first token keeps its time. It serves again 90 s later, with an empty cache. From 200 to 260 s another instance takes three times as long for each pass, and says nothing.

**What holds here** (12,036 requests at 40/s, objectives 1 s and 40 ms, seed 0):

| variant | TTFT p95 | p99 | TPOT p99 | good | bounces |
|---|---|---|---|---|---|
| round robin, health check | 1,279 ms | 8.3 s | 223 ms | 92.3 % | 54 |
| health-aware | 498 ms | 1.2 s | 29 ms | 98.2 % | 0 |
| only the breaker | 1,287 ms | 8.3 s | 223 ms | 92.3 % | 0 |
| only least outstanding | 502 ms | 1.1 s | 30 ms | 98.2 % | 6 |
| round robin, no faults | 786 ms | 1.8 s | 37 ms | 96.1 % | – |

- The crash itself is cheap: 10 requests lost their work. Round robin goes from 96.1 to 95.7 % with the crash alone, and to 92.8 % with the straggler alone. **A slow instance is worse than a dead one**: nobody takes it out.
- The breaker alone brings nothing that can be measured: 54 requests wait 200 ms for a retry. It matters when retries are slow or the health check is; with 3 of 8 gone and 250 bounces it still does not (84.6 against 84.8 % with it): the lost capacity does the damage.
- Looking at the load does it all, without knowing of any fault: requests pile up on what is slow, so fewer are sent there. It is better on this broken cluster than round robin on a healthy one.

**What to try.** *Retry after* 5 s and *health check* 60 s: whether the breaker helps then depends on the draw: from nothing to 7 points of good requests over several seeds. *Crashed instances* 3. *Slow by* 10.`,
  claims: ['ttft_ms', 'goodput_rps'],
  variants: [
    {
      id: 'baseline',
      label: 'Round robin, health check',
      description: 'Requests in turn; a crash is known when the health check reports it.',
    },
    {
      id: 'optimized',
      label: 'Health-aware',
      description: 'Least outstanding requests, and a circuit breaker that opens on failed connections.',
    },
    {
      id: 'breaker',
      label: 'Round robin with a breaker',
      description: 'Only the circuit breaker: what it alone brings.',
    },
    {
      id: 'load_aware',
      label: 'Least outstanding, no breaker',
      description: 'Only the load: what it alone brings.',
    },
    {
      id: 'healthy',
      label: 'Nothing happens',
      description: 'Round robin on a cluster without faults: what there is to lose.',
    },
  ],
  parameters: [
    integerParameter(
      'crashed_instances',
      'Crashed instances',
      'instances',
      { min: 0, max: 512, default: 1 },
      'So many instances crash at once, the first ones. All that they held is lost.',
    ),
    numberParameter('crash_at_s', 'Crash at', 's', { min: 0, max: 86_400, default: 60 }, 'When they crash.'),
    numberParameter(
      'recover_after_s',
      'Restarted after',
      's',
      { min: 0, max: 86_400, default: 30 },
      'From the crash until the process is started again.',
    ),
    numberParameter(
      'startup_s',
      'Start-up time',
      's',
      { min: 0, max: 3600, default: 60 },
      'From the start of the process to its first request; its cache is empty then.',
    ),
    numberParameter(
      'detection_s',
      'Health check',
      's',
      { min: 0, max: 600, default: 10 },
      'From the crash until the health check reports it to the router.',
    ),
    numberParameter(
      'retry_ms',
      'Retry after',
      'ms',
      { min: 0.1, max: 60_000, default: 200, log: true },
      'From a broken or refused connection until the request is routed again.',
    ),
    integerParameter(
      'breaker_failures',
      'Breaker opens after',
      'failures',
      { min: 1, max: 1000, default: 5 },
      'Failures in a row after which the router takes an instance out by itself. SGLang’s gateway takes 5.',
      { variants: ['optimized', 'breaker'] },
    ),
    numberParameter(
      'slow_at_s',
      'Straggler from',
      's',
      { min: 0, max: 86_400, default: 200 },
      'From then on the last instance is slow: throttled, or a bad neighbour.',
    ),
    numberParameter(
      'slow_for_s',
      'Straggler for',
      's',
      { min: 0, max: 86_400, default: 60 },
      'How long it stays slow.',
    ),
    numberParameter(
      'slow_factor',
      'Slow by',
      '×',
      { min: 0.1, max: 100, default: 3 },
      'Its passes take so many times as long.',
    ),
  ],
  defaults: {
    instances: 8,
    traffic: 'open',
    rate_rps: 40,
    duration_s: 300,
    slo_ttft_ms: 1000,
    slo_tpot_ms: 40,
  },
  parts(variant, values, base) {
    const breaks = variant === 'optimized' || variant === 'breaker';
    const aware = variant === 'optimized' || variant === 'load_aware';
    return {
      ...base,
      policy: { router: aware ? 'least_outstanding' : 'round_robin', router_parameters: {} },
      timeline: variant === 'healthy' ? [] : timelineOf(values),
      health: {
        detection_s: number(values, 'detection_s'),
        retry_ms: number(values, 'retry_ms'),
        breaker_failures: breaks ? number(values, 'breaker_failures') : 0,
      },
    };
  },
});
