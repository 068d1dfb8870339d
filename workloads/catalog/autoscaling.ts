import { InputError } from '../run/inputError.ts';
import type { ParameterValues } from '../run/parameter.ts';
import type { AutoscalingSpec } from '../run/timelineSpec.ts';
import { integerParameter, numberParameter } from './fleetParameters.ts';
import { number, servingTarget } from './servingBase.ts';

const scaling = { variants: ['optimized', 'load_based'] };

function autoscalingOf(variant: string, values: ParameterValues): AutoscalingSpec {
  const most = number(values, 'instances');
  const few = number(values, 'initial_instances');
  const mean = number(values, 'mean_instances');
  for (const [id, value] of Object.entries({ initial_instances: few, mean_instances: mean })) {
    if (value > most) {
      throw new InputError(`parameter ${id}: ${value}, expected at most instances, ${most}`);
    }
  }
  const policy = variant === 'optimized' ? 'sla' : variant === 'load_based' ? 'load' : 'static';
  const initial = variant === 'baseline' ? most : variant === 'static_mean' ? mean : few;
  return {
    policy,
    pools: [
      {
        pool: 'mixed',
        initial,
        min: policy === 'static' ? initial : 1,
        max: policy === 'static' ? initial : most,
      },
    ],
    interval_s: number(values, 'interval_s'),
    startup_s: number(values, 'startup_s'),
    cooldown_s: number(values, 'cooldown_s'),
    ...(policy === 'load'
      ? {
          load: {
            queue_up_s: number(values, 'queue_up_s'),
            queue_down_s: number(values, 'queue_down_s'),
            kv_up: number(values, 'kv_up'),
            kv_down: number(values, 'kv_down'),
          },
        }
      : {}),
    ...(policy === 'sla' ? { sla: { target_load: number(values, 'target_load') } } : {}),
  };
}

export const autoscaling = servingTarget({
  id: 'serving:autoscaling',
  chapter: 'serving',
  title: 'Autoscaling',
  summary: 'How many GPU-hours does a changing load need, and what do slow starts cost?',
  lesson: `**Look at** the instances that serve and start (the marks in the live view), then at goodput **per GPU-hour** beside the share of good requests: each is easy to win alone.

**What was claimed.** NVIDIA’s Dynamo planner scales by thresholds on queues and KV use, or by predicting TTFT and TPOT from a profile; its simulator reports that scaling falls off a cliff when instances take more than about 200 s to start. The labs have only a key for it in a file.

**What holds here** (an hour of 100,000 requests with a daily shape and bursts, one H200 an instance, objectives 2 s and 50 ms, seed 0; start-up 60 s):

| fleet | GPU-hours | good | good per GPU-hour | TTFT p99 |
|---|---|---|---|---|
| static, 10 | 10.0 | 99.5 % | 9,931 | 1.3 s |
| by SLA | 6.8 | 94.9 % | 14,043 | 9.1 s |
| by load | 7.2 | 95.8 % | 13,376 | 2.5 s |
| static, 7 | 7.0 | 98.3 % | 14,006 | 1.7 s |

- Both scalers save a third of the GPU-hours of a fleet for the peak, and miss objectives while new instances start.
- Neither beats a fixed fleet of 7, which costs the same and serves better. Somebody would have to know that it is 7: with 6 it is 90 %. Autoscaling is an answer to not knowing, and to loads that change more than this hour does.
- Start-up time decides. With 10 s both scalers are good (98.6 and 99.0 %, at 6.7 and 7.1 GPU-hours). With 180 s the one that predicts from the last interval falls to 74 %, since by the time its instances serve the rate is another one; thresholds, which act one at a time, keep 91 %.
- Predicted from means: the profile does not see that lengths are heavy-tailed. *Planned share of capacity* is the room left for that; 1 would be cheapest and worst.

**What to try.** *Planned share* 0.5, then 0.9. *Scaling interval* 60 s. *Cooldown* 0: instances go and come.`,
  claims: ['good_per_gpu_hour', 'goodput_rps'],
  variants: [
    {
      id: 'baseline',
      label: 'Static, for the peak',
      description: 'All instances serve all the time.',
    },
    {
      id: 'optimized',
      label: 'By SLA',
      description:
        'As many instances as the last interval’s rate and lengths need for the objectives, by the profile.',
    },
    {
      id: 'load_based',
      label: 'By load',
      description: 'One instance more or less where prompt queues and KV use pass thresholds.',
    },
    {
      id: 'static_mean',
      label: 'Static, for the mean',
      description: 'A fixed fleet of about the size that autoscaling has in the mean.',
    },
  ],
  parameters: [
    integerParameter(
      'initial_instances',
      'Instances at the start',
      'instances',
      { min: 1, max: 1024, default: 6 },
      'How many serve when the run starts, where the fleet is scaled.',
      scaling,
    ),
    integerParameter(
      'mean_instances',
      'Instances of the small fleet',
      'instances',
      { min: 1, max: 1024, default: 7 },
      'Size of the fixed fleet for the mean load.',
      { variants: ['static_mean'] },
    ),
    numberParameter(
      'interval_s',
      'Scaling interval',
      's',
      { min: 1, max: 3600, default: 10 },
      'How often the size of the fleet is decided.',
      scaling,
    ),
    numberParameter(
      'startup_s',
      'Start-up time',
      's',
      { min: 0, max: 3600, default: 60 },
      'From the decision to the first request: machine, image, weights, warm-up. It is paid for.',
      scaling,
    ),
    numberParameter(
      'cooldown_s',
      'Cooldown',
      's',
      { min: 0, max: 3600, default: 120 },
      'No scaling down for so long after any change.',
      scaling,
    ),
    numberParameter(
      'target_load',
      'Planned share of capacity',
      '',
      { min: 0.05, max: 1, default: 0.7, step: 0.05 },
      'By SLA: the share of the predicted capacity that is planned for. The rest is for bursts and uneven lengths.',
      { variants: ['optimized'] },
    ),
    numberParameter(
      'queue_up_s',
      'Queue, upper threshold',
      's',
      { min: 0.001, max: 60, default: 0.3, log: true },
      'By load: one instance more where the waiting prompts, in seconds of prefill per instance, exceed this.',
      { variants: ['load_based'] },
    ),
    numberParameter(
      'queue_down_s',
      'Queue, lower threshold',
      's',
      { min: 0, max: 60, default: 0.05 },
      'By load: one instance less where they, and the KV use, are below their lower thresholds.',
      { variants: ['load_based'] },
    ),
    numberParameter(
      'kv_up',
      'KV use, upper threshold',
      '',
      { min: 0.01, max: 1, default: 0.9, step: 0.05 },
      'By load: one instance more above this mean KV use. 0.9 and 0.5 are the defaults of Dynamo’s load planner.',
      { variants: ['load_based'] },
    ),
    numberParameter(
      'kv_down',
      'KV use, lower threshold',
      '',
      { min: 0, max: 1, default: 0.5, step: 0.05 },
      'By load: see the lower threshold of the queue.',
      { variants: ['load_based'] },
    ),
  ],
  defaults: { requests: 100_000, speedup: 1, instances: 10 },
  parts(variant, values, base) {
    return {
      ...base,
      policy: { router: 'least_outstanding', router_parameters: {} },
      autoscaling: autoscalingOf(variant, values),
    };
  },
});
