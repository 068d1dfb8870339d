/**
 * Where each term of the routers' scores stands among the term colours, 1 to 8. A term keeps its place in every view and session;
 * the terms of one router have places of their own.
 */
export const termPlaces: Readonly<Record<string, number>> = {
  ttft: 1,
  tpot: 2,
  prefix: 3,
  cached: 3,
  match: 3,
  locality: 3,
  prefill: 4,
  decode: 5,
  decoding: 5,
  queue: 6,
  waiting: 6,
  load: 6,
  requests: 7,
  running: 7,
  tokens: 8,
  kv: 4,
  memory: 5,
  transfer: 7,
  balance: 5,
  stay: 8,
  size: 5,
  assigned: 4,
  hash: 1,
  draw: 2,
  turn: 1,
};
