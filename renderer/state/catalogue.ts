import { catalog, findTarget as findInCatalog } from '../../workloads/catalog/catalog.ts';
import { findKernelTarget, type KernelTarget, kernelTargets } from '../../workloads/catalog/kernelTargets.ts';
import type { Target } from '../../workloads/catalog/target.ts';
import { groupedBy } from './grouped.ts';

/** A target that serves requests, or one that measures kernels on a GPU. */
export type AnyTarget = Target | KernelTarget;

/** The targets that the window offers. */
export const catalogue: readonly AnyTarget[] = [...catalog, ...kernelTargets];
export const findTarget = (id: string): AnyTarget | undefined => findInCatalog(id) ?? findKernelTarget(id);

/** The lab that a first visitor runs. */
export function defaultTarget(): Target {
  const target = findInCatalog('labs/dynamic_router:dynamic_router') ?? catalog[0];
  if (target === undefined) throw new Error('the catalogue is empty');
  return target;
}

/** Chapters in order of the catalogue, each with its targets. */
export function chaptersOf(
  targets: readonly AnyTarget[],
): readonly { readonly chapter: string; readonly targets: readonly AnyTarget[] }[] {
  return [...groupedBy(targets, (target) => target.chapter)].map(([chapter, inChapter]) => ({
    chapter,
    targets: inChapter,
  }));
}

/** The title of a chapter: `ch17` is `Chapter 17`. */
export function chapterTitle(chapter: string): string {
  const number = /^ch0*(\d+)$/.exec(chapter)?.[1];
  return number === undefined ? chapter.charAt(0).toUpperCase() + chapter.slice(1) : `Chapter ${number}`;
}
