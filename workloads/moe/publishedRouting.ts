/**
 * The published lab's two routings, for their lesson: one expert per token by a linear congruence of its index. Uniform is a
 * permutation modulo any power of two. The topology-aware one keeps tokens on their home island (index mod islands), every
 * eighth goes to the next: tokens of one island share index mod islands, so the congruence inside it reaches few experts.
 */
const congruence = (token: number, experts: number): number => {
  // 1103515245 × token exceeds 2^53 for large tokens; the low bits decide, and Math.imul keeps 32 of them.
  const value = (Math.imul(token, 1103515245) + 12345) >>> 0;
  return value % experts;
};

export const publishedUniform = (token: number, experts: number): number => congruence(token, experts);

/**
 * Every eighth token is routed as its successor, which lives on the next island. The lab's text leaves open which expert a token
 * takes there; this reading gives the figures that were recorded of it: 14 experts of 64 with 1,024 to 2,048 tokens each.
 */
export function publishedTopologyAware(token: number, islands: number, perIsland: number): number {
  const as = token % 8 === 0 ? token + 1 : token;
  return (as % islands) * perIsland + congruence(as, perIsland);
}

/** Share of tokens whose expert is on another island than the token, and how many experts have any token. */
export function publishedBalance(
  expertOf: (token: number) => number,
  tokens: number,
  islands: number,
  perIsland: number,
): { readonly remote: number; readonly used: number; readonly busiest: number } {
  const load = new Int32Array(islands * perIsland);
  let remote = 0;
  for (let t = 0; t < tokens; t++) {
    const e = expertOf(t);
    load[e] = (load[e] ?? 0) + 1;
    if (Math.floor(e / perIsland) !== t % islands) remote++;
  }
  let used = 0;
  let busiest = 0;
  for (const n of load) {
    if (n > 0) used++;
    busiest = Math.max(busiest, n);
  }
  return { remote: remote / tokens, used, busiest };
}
