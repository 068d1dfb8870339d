import { count, gauge } from './metricKinds.ts';
import type { Metric } from './registry.ts';

/** What a summary says of a fleet, in the order in which tables show it. */
export const fleetFigures = [
  'gpu_hours',
  'good_per_gpu_hour',
  'scale_ups',
  'scale_downs',
  'role_changes',
  'crashes',
  'lost_requests',
  'lost_kv_tokens',
  'bounces',
] as const;

/** What a fleet shows whose instances come, go, fail or change their pool. */
export const fleetMetrics: readonly Metric[] = [
  count(
    'active_instances',
    'Instances serving',
    'count',
    'fleet',
    'neutral',
    'Instances that work on requests: those that take new ones, and those that end what they have',
  ),
  count(
    'starting_instances',
    'Instances starting',
    'count',
    'fleet',
    'neutral',
    'Instances between the decision to start them and their first request; paid for',
  ),
  gauge(
    'gpu_hours',
    'GPU-hours',
    'GPU-hours',
    'fleet',
    'quantity',
    'lower',
    'Σ over GPUs of the time paid for: from the start of the run, or the decision to start, until off',
  ),
  gauge(
    'good_per_gpu_hour',
    'Goodput per GPU-hour',
    'requests/GPU-hour',
    'fleet',
    'quantity',
    'higher',
    'Requests that met every SLO given ÷ GPU-hours paid for',
  ),
  count('scale_ups', 'Scale-ups', 'count', 'fleet', 'neutral', 'Instances started by autoscaling'),
  count('scale_downs', 'Scale-downs', 'count', 'fleet', 'neutral', 'Instances drained by autoscaling'),
  count(
    'role_changes',
    'Role changes',
    'count',
    'fleet',
    'neutral',
    'Times that an instance changed its pool',
  ),
  count('crashes', 'Crashes', 'count', 'fleet', 'neutral', 'Instances lost with all that they held'),
  count(
    'lost_requests',
    'Requests lost',
    'requests',
    'fleet',
    'lower',
    'Requests that were on an instance when it crashed; each is routed again and starts from its prompt',
  ),
  count(
    'bounces',
    'Bounces',
    'count',
    'fleet',
    'lower',
    'Times that a request was sent to an instance that was gone, and routed again',
  ),
  count(
    'lost_kv_tokens',
    'KV tokens lost',
    'tokens',
    'fleet',
    'lower',
    'Tokens whose KV cache requests held on crashed instances, to be computed again',
  ),
  count(
    'cluster_event',
    'Cluster event',
    'count',
    'fleet',
    'neutral',
    'A mark in time: something happened to the instance with this index (−1: to all)',
  ),
];
