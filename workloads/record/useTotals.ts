import { findGpu } from '../hardware/gpus.ts';
import { gpusOf } from '../run/instanceSpec.ts';
import type { RunSpec } from '../run/spec.ts';
import type { UseSummary } from '../run/summary.ts';
import { Observation, type Replica } from '../serving/replica.ts';
import type { Ns } from '../units.ts';

/** Share of the TDP that a card draws between passes: 70 to 85 W of an idle H100 SXM's 700 (nvidia-smi). */
const idleShare = 0.12;

/** Sums up what the cards did, drew and cost. Instances that share GPUs (stages of a pipeline) have no figure of their own. */
export class UseTotals {
  private readonly spec: RunSpec;
  private readonly at = new Observation();
  private flops = 0;
  private bytes = 0;
  private flopsPossible = 0;
  private bytesPossible = 0;
  private wattSeconds = 0;
  private usd = 0;

  constructor(spec: RunSpec) {
    this.spec = spec;
  }

  add(replica: Replica, index: number, end: Ns, busyNs: Ns): void {
    const instance = this.spec.cluster.instances[index];
    if (instance === undefined) return;
    const seconds = end / 1e9;
    this.usd += ((instance.hourly_cost ?? Number.NaN) * seconds) / 3600;
    const cost =
      instance.serves === 'modelled' && instance.cost.kind === 'roofline' ? instance.cost : undefined;
    const shares = cost?.pipeline !== undefined;
    const gpu = cost === undefined || shares ? undefined : findGpu(cost.gpu);
    this.wattSeconds +=
      gpu === undefined
        ? Number.NaN
        : gpusOf(instance) * gpu.tdpW * (busyNs / 1e9 + idleShare * Math.max(0, seconds - busyNs / 1e9));
    const { peaks } = replica;
    if (peaks === undefined || shares) {
      this.flops = Number.NaN;
      return;
    }
    replica.observe(this.at, end);
    this.flops += this.at.flops;
    this.bytes += this.at.bytes;
    this.flopsPossible += peaks.flopPerSec * seconds;
    this.bytesPossible += peaks.bytesPerSec * seconds;
  }

  summary(): { readonly use?: UseSummary } {
    const mfu = this.flops / this.flopsPossible;
    const use: UseSummary = {
      ...(mfu > 0 ? { mfu, bandwidth_share: this.bytes / this.bytesPossible } : {}),
      ...(this.wattSeconds > 0 ? { energy_kwh: this.wattSeconds / 3.6e6 } : {}),
      ...(this.usd > 0 ? { cost_usd: this.usd } : {}),
    };
    return Object.keys(use).length === 0 ? {} : { use };
  }
}
