import type { PassPlan } from '../../serving/passPlan.ts';
import type { Ns } from '../../units.ts';
import type { DeviceResult } from './device.ts';

/** What the passes of an instance said about themselves, for the log at the end of a run. */
export class PassTally {
  passes = 0;
  graphs = 0;
  launches = 0;
  hostNs: Ns = 0;
  worstClockErrorNs: Ns = 0;
  /** Host CPU time of decode passes of 32 to 96 sequences, the size that the budget speaks of. */
  private readonly decodeHostNs: number[] = [];
  /** Tokens routed to each expert, layer after layer; undefined for dense models. */
  expertTokens: Float64Array | undefined;

  add(result: DeviceResult, plan: PassPlan): void {
    this.passes++;
    if (result.graph) this.graphs++;
    this.launches += result.launches;
    this.hostNs += result.hostCpuNs;
    this.worstClockErrorNs = Math.max(this.worstClockErrorNs, result.clockErrorNs);
    if (result.graph && plan.rows >= 32 && plan.rows <= 96) this.decodeHostNs.push(result.hostCpuNs);
    const { expertTokens } = result;
    if (expertTokens === undefined || expertTokens.length === 0) return;
    this.expertTokens ??= new Float64Array(expertTokens.length);
    for (let i = 0; i < expertTokens.length; i++) {
      this.expertTokens[i] = (this.expertTokens[i] ?? 0) + (expertTokens[i] ?? 0);
    }
  }

  /** Busiest expert over the mean, the worst layer's; undefined for dense models. */
  expertImbalance(layers: number): number | undefined {
    const { expertTokens } = this;
    if (expertTokens === undefined) return undefined;
    const experts = expertTokens.length / layers;
    let worst = 1;
    for (let layer = 0; layer < layers; layer++) {
      const own = expertTokens.subarray(layer * experts, (layer + 1) * experts);
      const total = own.reduce((sum, n) => sum + n, 0);
      if (total > 0)
        worst = Math.max(worst, (own.reduce((most, n) => Math.max(most, n), 0) * experts) / total);
    }
    return worst;
  }

  /** One line for people. */
  text(layers: number): string {
    if (this.passes === 0) return 'no passes';
    const sorted = [...this.decodeHostNs].sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)];
    const imbalance = this.expertImbalance(layers);
    return [
      `${this.passes} passes, ${this.graphs} of them as CUDA graphs`,
      `host CPU ${(this.hostNs / this.passes / 1e3).toFixed(0)} µs per pass${
        median === undefined ? '' : `, ${(median / 1e3).toFixed(0)} µs (median) at 32 to 96 sequences`
      }`,
      `device times within ${(this.worstClockErrorNs / 1e3).toFixed(1)} µs of the run's clock`,
      ...(imbalance === undefined
        ? []
        : [`busiest expert ${imbalance.toFixed(2)} times the mean of its layer`]),
    ].join('; ');
  }
}
