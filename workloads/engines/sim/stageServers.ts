import type { PipelineTotals } from '../../record/replicateResult.ts';
import type { Ns } from '../../units.ts';

/**
 * Stages as servers in a row, behind a host that prepares one micro-batch at a time:
 *
 *   host     |0|1|2|3|
 *   stage 0    [ 0 ][ 1 ][ 2 ][ 3 ][ 0 ]
 *   stage 1         [ 0 ][ 1 ][ 2 ][ 3 ]        a hop carries activations between stages
 *
 * The bubble is what the stages stood idle while there was a micro-batch in the line; nothing is taken from a formula.
 */
export class StageServers {
  readonly totals: PipelineTotals = { activeNs: 0, busyNs: 0, microBatches: 0 };
  private readonly free: Float64Array;
  hostFree: Ns = 0;
  /** End of the time that `activeNs` has counted. */
  private activeUntil: Ns = 0;

  constructor(stages: number) {
    this.free = new Float64Array(stages);
  }

  /** When the first stage has nothing more to do. */
  get firstFree(): Ns {
    return this.free[0] ?? 0;
  }

  /** A micro-batch enters at `start`; when it leaves the last stage. Micro-batches enter in order of their start. */
  enter(start: Ns, hostNs: Ns, hopNs: Ns, stageNs: (stage: number) => Ns): Ns {
    const { free, totals } = this;
    this.hostFree = start + hostNs;
    let at = this.hostFree;
    for (let s = 0; s < free.length; s++) {
      const begin = Math.max(at, free[s] ?? 0);
      const ns = stageNs(s);
      free[s] = begin + ns;
      totals.busyNs += ns;
      at = begin + ns + (s + 1 < free.length ? hopNs : 0);
    }
    // The host's work before an empty line is no bubble of the stages.
    totals.activeNs += Math.max(0, at - Math.max(this.activeUntil, this.hostFree));
    this.activeUntil = Math.max(this.activeUntil, at);
    totals.microBatches++;
    return at;
  }

  /** Idle share of the stages while there was a micro-batch in the line; undefined before the first. */
  get bubble(): number | undefined {
    const { activeNs, busyNs } = this.totals;
    return activeNs > 0 ? 1 - busyNs / (this.free.length * activeNs) : undefined;
  }
}
