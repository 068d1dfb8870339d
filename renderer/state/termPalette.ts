import { termPlaces } from '../../workloads/catalog/termPlaces.ts';

/** The colour of a score term: its own in every view and session, whichever router and term was seen first. */
export class TermPalette {
  tokenOf(term: string): string {
    return `--term-${termPlaces[term] ?? 1 + (hashOf(term) % 8)}`;
  }
}

/** For terms that no router of this version has: FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}
