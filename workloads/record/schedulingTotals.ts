import { distribution } from '../metrics/percentile.ts';
import type { ClassSummary, SchedulingSummary } from '../run/schedulingSummary.ts';
import type { RunSpec } from '../run/spec.ts';
import { Phase } from '../serving/requestTable.ts';
import type { ReplicateResult } from './replicateResult.ts';

interface ClassTotals {
  arrived: number;
  inTime: number;
  readonly ttft: number[];
  readonly tpot: number[];
}

/** Sums up what the schedulers of all replicates counted. */
export class SchedulingTotals {
  private readonly spec: RunSpec;
  private readonly classes: readonly ClassTotals[];
  private swapOuts = 0;
  private swapIns = 0;
  private swapBytes = 0;
  private stallNs = 0;
  private refused = 0;
  private computed = 0;
  private wanted = 0;

  constructor(spec: RunSpec) {
    this.spec = spec;
    const classes = spec.cluster.scheduler.policy?.classes ?? [];
    this.classes = classes.map(() => ({ arrived: 0, inTime: 0, ttft: [], tpot: [] }));
  }

  add(replicate: ReplicateResult): void {
    const { scheduling } = replicate;
    if (scheduling === undefined) return;
    for (const replica of replicate.replicas) {
      const { swap, padding } = replica.totals(replicate.clock);
      if (swap !== undefined) {
        this.swapOuts += swap.outs;
        this.swapIns += swap.ins;
        this.swapBytes += swap.bytes;
        this.stallNs += swap.stallNs;
        this.refused += swap.refused;
      }
      if (padding !== undefined) {
        this.computed += padding.computed;
        this.wanted += padding.wanted;
      }
    }
    if (this.classes.length > 0) this.addClasses(replicate, scheduling.classOf);
  }

  private addClasses(replicate: ReplicateResult, classOf: Uint8Array): void {
    const { requests } = replicate;
    const { traffic } = requests;
    for (let r = 0; r < replicate.arrived; r++) {
      if (!requests.came(r)) continue;
      const c = classOf[r] ?? 0;
      const at = this.classes[c];
      if (at === undefined) continue;
      at.arrived++;
      // Late rejection turns requests away after their prompt was computed: that first token was never delivered.
      if (requests.phase[r] === Phase.rejected) continue;
      const first = requests.firstTokenNs[r] ?? Number.NaN;
      const finish = requests.finishNs[r] ?? Number.NaN;
      const ttft = (first - (traffic.arrivalNs[r] ?? 0)) / 1e6;
      if (Number.isNaN(ttft)) continue;
      at.ttft.push(ttft);
      if (ttft <= this.objective(c)) at.inTime++;
      const n = requests.outputTokens[r] ?? 0;
      if (n > 1 && !Number.isNaN(finish)) at.tpot.push((finish - first) / (n - 1) / 1e6);
    }
  }

  private objective(c: number): number {
    return this.spec.cluster.scheduler.policy?.classes?.[c]?.ttft_ms ?? Number.NaN;
  }

  /** Undefined where the spec names no scheduler policy. */
  summary(): SchedulingSummary | undefined {
    const { policy } = this.spec.cluster.scheduler;
    if (policy === undefined) return undefined;
    const swaps = policy.kind !== 'static' && policy.preemption.kind === 'swap';
    const classes = this.classes.map((at, c): ClassSummary => {
      const ttft = distribution(at.ttft);
      const tpot = distribution(at.tpot);
      return {
        name: policy.classes?.[c]?.name ?? '',
        ttft_objective_ms: this.objective(c),
        arrived: at.arrived,
        ...(at.arrived > 0 ? { in_time: at.inTime / at.arrived } : {}),
        ...(ttft === undefined ? {} : { ttft_ms: ttft }),
        ...(tpot === undefined ? {} : { tpot_ms: tpot }),
      };
    });
    const arrived = this.classes.reduce((sum, c) => sum + c.arrived, 0);
    const first = classes[0]?.in_time;
    return {
      policy: policy.kind,
      ...(swaps
        ? {
            swap: {
              outs: this.swapOuts,
              ins: this.swapIns,
              bytes: this.swapBytes,
              stall_ms: this.stallNs / 1e6,
              refused: this.refused,
            },
          }
        : {}),
      ...(this.computed > 0 ? { padding_share: 1 - this.wanted / this.computed } : {}),
      ...(classes.length > 0 ? { classes } : {}),
      ...(arrived > 0 ? { in_time: this.classes.reduce((sum, c) => sum + c.inTime, 0) / arrived } : {}),
      ...(first === undefined ? {} : { first_class_in_time: first }),
    };
  }
}
