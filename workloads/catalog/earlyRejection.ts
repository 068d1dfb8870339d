import { InputError } from '../run/inputError.ts';
import type { LengthSpec, PoolRole, TrafficSpec } from '../run/spec.ts';
import { admissionOf, admissionParameters } from './admissionParameters.ts';
import { equalInstances, number, servingTarget } from './servingBase.ts';

type OpenTraffic = Extract<TrafficSpec, { kind: 'open' }>;

/** The admission policy of each variant. */
const policies: Readonly<Record<string, string>> = {
  baseline: 'none',
  optimized: 'predicted_rejection',
  early_rejection: 'early_rejection',
  late_rejection: 'late_rejection',
  slo_tiers: 'slo_tiers',
  as_published: 'as_published',
};

function withSpread(traffic: OpenTraffic, sigma: number): OpenTraffic {
  const narrowed = (length: LengthSpec): LengthSpec =>
    length.kind === 'lognormal' ? { ...length, sigma } : length;
  return { ...traffic, prompt: narrowed(traffic.prompt), output: narrowed(traffic.output) };
}

export const earlyRejection = servingTarget({
  id: 'ch17:early_rejection',
  chapter: 'ch17',
  title: 'Early rejection and service tiers',
  summary: 'Whom should an overloaded cluster turn away, and when?',
  lesson: `**Look at** the chart of the two loads, then at goodput, then at the table by tier. Load is the share of an objective that is used up: 1 is just met. Arrivals are four times what the cluster can carry.

**What was claimed.** Mooncake (arXiv 2407.00079, §7): refuse at arrival what the decode pool could not take, and nothing is prefilled in vain; by the load of *now*, though, both pools swing in antiphase, since a request decodes only after its prefill; by the load *predicted* for the end of the prefill they do not. The lab’s own controller promises tiers with reserved shares, deadlines and early rejection; its shares and deadlines are never read, and its estimate multiplies the queue by total TTFTs, which already hold the queue.

**What holds here** (21,564 requests, seed 0). Every policy turns away 70 to 75 % of them; good means that both objectives were met.

| policy | good | TTFT p95 | decode load |
|---|---|---|---|
| everyone in | 0.8 % | 2,121 s | 1.69 ± 0.03 |
| after prefill | 30 % | 18.8 s | 0.89 ± 0.02 |
| early | 15 % | 18.5 s | 0.97 ± 0.13 |
| predicted | 25 % | 9.3 s | 0.90 ± 0.04 |
| tiers | 25 % | 1.8 s | 0.87 ± 0.03 |
| published | 0.9 % | 2.5 s | 1.28 ± 0.04 |

- Early rejection swings with a period of about 38 s, prefill and decode at a correlation of −0.5. Prediction cuts the swing of both loads to a third, and 59 % more requests are good. Set *decode time* to 5 s, a third of the truth, and the swing is back.
- Prediction is **not** the best by count: refusing after the prefill has more good requests. It throws away 2,005 prefills and holds everyone for 19 s, and it flatters itself: a prefill queue that is always full lets short prompts slip in (14,304 tokens in the mean, 16,916 by prediction). In prompt tokens served the two differ by 1 %. Mooncake counts 4,183, 3,771 and 3,589 refusals after prefill, early and by prediction; that order is not found here.
- Everything hangs on the threshold: at 1.0 instead of 0.9 most requests miss the TPOT objective by a little, and good ones fall to 13 % by prediction and 8 % after prefill.
- Reserved tiers: premium (a tenth of the requests, 30 % of the capacity) has 69 % good, the others 20 %. Its queue stays short, since what is admitted is bounded in requests and in queued tokens.
- The published controller counts 50 + 100 + 200 requests in flight whatever the cluster: the decode pool runs at 1.28 and nearly everything it lets in misses. At idle times it can latch: after one burst its health check refuses the free tier for as long as nobody of another tier is answered, on an empty cluster. A random one in ten is refused as “memory pressure”.

**What to try.** *Retries* 3: the refused come back together and the swing of early rejection grows. *Arrival rate* 6, which the cluster can carry: which policy is best is within the noise there: over several seeds letting everyone in is between 2 % better and 29 % worse than the best of the others.`,
  claims: ['goodput_rps'],
  variants: [
    {
      id: 'baseline',
      label: 'Everyone is let in',
      description: 'No admission: queues grow as long as they must.',
    },
    {
      id: 'optimized',
      label: 'Rejection by prediction',
      description: 'Mooncake: refuses by the decode load expected when the request’s prefill will end.',
    },
    {
      id: 'early_rejection',
      label: 'Early rejection',
      description: 'Mooncake: refuses at arrival by the decode load of that moment.',
    },
    {
      id: 'late_rejection',
      label: 'Rejection after prefill',
      description: 'The decode pool is asked when the prompt is computed; a refusal wastes the prefill.',
    },
    {
      id: 'slo_tiers',
      label: 'Reserved tiers',
      description:
        'Each tier keeps its share of the capacity; the rest goes to whoever can still be answered in time.',
    },
    {
      id: 'as_published',
      label: 'Controller as published',
      description: 'The lab’s QoS controller, whose estimates feed on themselves.',
    },
  ],
  parameters: [
    {
      kind: 'integer',
      id: 'prefill_instances',
      label: 'Prefill instances',
      group: 'cluster',
      unit: 'instances',
      min: 0,
      max: 512,
      default: 4,
      help: 'So many instances compute prompts and the rest decode. 0: all do both.',
    },
    {
      kind: 'number',
      id: 'length_sigma',
      label: 'Spread of lengths',
      group: 'traffic',
      unit: '',
      min: 0.01,
      max: 2,
      step: 0.1,
      default: 0.3,
      when: { parameter: 'traffic', is: ['open'] },
      help: 'σ of the log-normals of prompt and output around their medians. Larger has more very long ones.',
    },
    ...admissionParameters,
  ],
  defaults: {
    traffic: 'open',
    rate_rps: 24,
    duration_s: 900,
    prompt_median: 16_000,
    output_median: 800,
    prefix_share: 0,
    slo_ttft_ms: 20_000,
    slo_tpot_ms: 20,
  },
  parts(variant, values, base) {
    const prefills = number(values, 'prefill_instances');
    const count = number(values, 'instances');
    if (prefills >= count) {
      throw new InputError(
        `parameter prefill_instances: ${prefills} of ${count} instances leave none to decode, expected at most ${count - 1}`,
      );
    }
    const role = (i: number): PoolRole => (prefills === 0 ? 'mixed' : i < prefills ? 'prefill' : 'decode');
    const { traffic } = base;
    return {
      ...base,
      traffic: traffic.kind === 'open' ? withSpread(traffic, number(values, 'length_sigma')) : traffic,
      cluster: equalInstances(values, role),
      policy: {
        router: 'mooncake_conductor',
        router_parameters: {},
        admission: admissionOf(policies[variant] ?? variant, values, base.slo),
      },
    };
  },
});
