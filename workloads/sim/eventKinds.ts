/** Events between instances; at one time they happen in this order. */
export const EventKind = {
  transferred: 0,
  depart: 1,
  refresh: 2,
  arrival: 3,
  plan: 4,
  wake: 5,
  sample: 6,
} as const;
