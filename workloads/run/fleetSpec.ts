import type { RunSpec } from './spec.ts';

/** Whether anything in the spec may change which instances serve. Where nothing does, all of them serve all the time. */
export const hasFleet = (spec: RunSpec): boolean =>
  (spec.timeline?.length ?? 0) > 0 ||
  spec.autoscaling !== undefined ||
  spec.cluster.handoff?.rebalance !== undefined;
