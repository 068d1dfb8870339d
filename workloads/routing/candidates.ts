import type { ClusterView, ScoreSheet } from './router.ts';

/** Instances that may compute prompts: the prefill pool and the mixed ones; everyone where there is neither. */
export function prefillCandidates(cluster: ClusterView): Int32Array {
  const able = indices(cluster, (role) => role !== 'decode');
  return able.length > 0 ? able : indices(cluster, () => true);
}

/** Instances that may decode: the decode pool and the mixed ones; everyone where there is neither. */
export function decodeCandidates(cluster: ClusterView): Int32Array {
  const able = indices(cluster, (role) => role !== 'prefill');
  return able.length > 0 ? able : indices(cluster, () => true);
}

function indices(cluster: ClusterView, keep: (role: string) => boolean): Int32Array {
  const found: number[] = [];
  for (let i = 0; i < cluster.instances; i++) if (keep(cluster.role[i] ?? 'mixed')) found.push(i);
  return Int32Array.from(found);
}

/** The candidate with the highest total; the lowest index among equals. */
export function best(sheet: ScoreSheet, candidates: Int32Array): number {
  let chosen = candidates[0] ?? 0;
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < candidates.length; i++) {
    const c = candidates[i] ?? 0;
    const total = sheet.total[c] ?? Number.NEGATIVE_INFINITY;
    if (total > top) {
      top = total;
      chosen = c;
    }
  }
  return chosen;
}
