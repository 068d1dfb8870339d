import { draftLengths, variantRows } from './techniqueTables.ts';

/** What `scripts/bench-techniques.mjs` bundles and calls. */
export const bench = { draftLengths, variantRows };
