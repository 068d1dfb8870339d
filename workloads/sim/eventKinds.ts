/** Events between instances; at one time they happen in this order. */
export const EventKind = {
  transferred: 0,
  depart: 1,
  refresh: 2,
  arrival: 3,
  /** Prompts that waited for company go. */
  batchDue: 4,
  plan: 5,
  wake: 6,
  sample: 7,
} as const;
