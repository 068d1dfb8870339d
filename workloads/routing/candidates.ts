import type { ClusterView, ScoreSheet } from './router.ts';

/**
 * The instances that may compute prompts and those that may decode, looked up anew when the membership changes:
 *
 *   prompts   the prefill pool and the mixed instances; where there is neither, any instance computes prompts
 *   decoders  the decode pool and the mixed instances; where no instance is one of them at all, any
 *
 * Instances that take no requests are in neither list, so that no policy needs to know of them. A list may be empty:
 * then nothing is asked of the router until an instance is there.
 */
export class CandidateLists {
  private readonly cluster: ClusterView;
  private seen = Number.NaN;
  private promptList = new Int32Array(0);
  private decoderList = new Int32Array(0);

  constructor(cluster: ClusterView) {
    this.cluster = cluster;
  }

  get prompts(): Int32Array {
    this.look();
    return this.promptList;
  }

  get decoders(): Int32Array {
    this.look();
    return this.decoderList;
  }

  private look(): void {
    const { cluster } = this;
    const version = cluster.membership?.version ?? 0;
    if (version === this.seen) return;
    this.seen = version;
    const prompts = indices(cluster, (role) => role !== 'decode');
    this.promptList = prompts.length > 0 ? prompts : indices(cluster, () => true);
    const roles = cluster.role.slice(0, cluster.instances);
    this.decoderList = indices(
      cluster,
      roles.every((role) => role === 'prefill') ? () => true : (role) => role !== 'prefill',
    );
  }
}

function indices(cluster: ClusterView, keep: (role: string) => boolean): Int32Array<ArrayBuffer> {
  const found: number[] = [];
  const takes = cluster.membership?.takes;
  for (let i = 0; i < cluster.instances; i++) {
    if (keep(cluster.role[i] ?? 'mixed') && (takes === undefined || takes[i] === 1)) found.push(i);
  }
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
