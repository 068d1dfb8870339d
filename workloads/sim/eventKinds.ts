/** Events between instances; at one time they happen in this order. */
export const EventKind = {
  transferred: 0,
  depart: 1,
  refresh: 2,
  arrival: 3,
  retry: 4,
  deadline: 5,
  /** Prompts that waited for company go. */
  batchDue: 6,
  plan: 7,
  wake: 8,
  sample: 9,
} as const;
