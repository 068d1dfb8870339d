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
  /** A prefix from another instance is there. */
  prefixFetched: 7,
  arrival: 8,
  /** A refused request comes back. */
  retry: 9,
  deadline: 10,
  /** A request whose instance was gone is routed again. */
  reroute: 11,
  /** Prompts that waited for company go. */
  batchDue: 12,
  plan: 13,
  autoscale: 14,
  rebalance: 15,
  wake: 16,
  sample: 17,
  /** The next turn of a conversation whose answer has come. */
  turn: 18,
} as const;
