/** Events between instances; at one time they happen in this order. */
export const EventKind = {
  transferred: 0,
  depart: 1,
  /** An entry of the spec's timeline. */
  timeline: 2,
  /** An instance that was started serves from now on. */
  started: 3,
  /** A crash becomes known to the router. */
  detected: 4,
  /** Instances that drain are looked at. */
  drainCheck: 5,
  refresh: 6,
  arrival: 7,
  /** A refused request comes back. */
  retry: 8,
  deadline: 9,
  /** A request whose instance was gone is routed again. */
  reroute: 10,
  /** Prompts that waited for company go. */
  batchDue: 11,
  plan: 12,
  autoscale: 13,
  rebalance: 14,
  wake: 15,
  sample: 16,
} as const;
