import { catalog, findTarget as findInCatalog } from '../../workloads/catalog/catalog.ts';
import type { Target } from '../../workloads/catalog/target.ts';
import { groupedBy } from './grouped.ts';

/** The targets that the window offers. */
export const catalogue: readonly Target[] = catalog;
export const findTarget = findInCatalog;

/** The lab that a first visitor runs. */
export function defaultTarget(): Target {
  const target = findTarget('labs/dynamic_router:dynamic_router') ?? catalogue[0];
  if (target === undefined) throw new Error('the catalogue is empty');
  return target;
}

/** Chapters in order of the catalogue, each with its targets. */
export function chaptersOf(
  targets: readonly Target[],
): readonly { readonly chapter: string; readonly targets: readonly Target[] }[] {
  return [...groupedBy(targets, (target) => target.chapter)].map(([chapter, inChapter]) => ({
    chapter,
    targets: inChapter,
  }));
}

/** `ch17` and `labs` as people say them. */
export function chapterTitle(chapter: string): string {
  const number = /^ch0*(\d+)$/.exec(chapter)?.[1];
  return number === undefined ? chapter.charAt(0).toUpperCase() + chapter.slice(1) : `Chapter ${number}`;
}
