/** Where each term of the routers' scores stands among the term colours; terms of one router never share one. */
const places: Readonly<Record<string, number>> = {
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

/** The colour of a score term: its own in every view and session, whichever router and term was seen first. */
export class TermPalette {
  tokenOf(term: string): string {
    return `--term-${places[term] ?? 1 + (hashOf(term) % 8)}`;
  }
}

/** For terms that no router of this version has: FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}
