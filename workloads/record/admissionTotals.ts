import { correlation, deviation, meanOf, swing } from '../metrics/fluctuation.ts';
import { distribution } from '../metrics/percentile.ts';
import type { AdmissionSummary, LoadSummary, TierSummary } from '../run/admissionSummary.ts';
import type { RunSpec } from '../run/spec.ts';
import { tiersOf } from '../serving/admission/tiers.ts';
import { Phase } from '../serving/requestTable.ts';
import { isGood } from './recorder.ts';
import type { ReplicateResult } from './replicateResult.ts';

interface TierTotals {
  arrived: number;
  rejected: number;
  completed: number;
  good: number;
  readonly ttft: number[];
  readonly queue: number[];
}

interface Loads {
  readonly prefill: LoadSummary;
  readonly decode: LoadSummary;
  readonly correlation: number | undefined;
}

/** Sums up what the admission desks of all replicates saw. */
export class AdmissionTotals {
  private readonly spec: RunSpec;
  private readonly tiers: TierTotals[] = [];
  private readonly loads: Loads[] = [];
  private readonly refusalsByReason = new Map<string, number>();
  private refusals = 0;
  private retried = 0;
  private wastedPrefills = 0;
  private wastedTokens = 0;

  constructor(spec: RunSpec) {
    this.spec = spec;
  }

  add(replicate: ReplicateResult): void {
    const { desk, requests } = replicate;
    const columns = requests.admission;
    if (desk === undefined || columns === undefined) return;
    columns.tiers.forEach((_, i) => {
      this.tiers[i] ??= { arrived: 0, rejected: 0, completed: 0, good: 0, ttft: [], queue: [] };
    });
    for (let r = 0; r < replicate.arrived; r++) {
      if (!requests.came(r)) continue;
      const tier = this.tiers[columns.tier[r] ?? 0];
      if (tier === undefined) continue;
      tier.arrived++;
      if (requests.phase[r] === Phase.rejected) {
        tier.rejected++;
        if (!Number.isNaN(requests.firstTokenNs[r] ?? Number.NaN)) {
          this.wastedPrefills++;
          this.wastedTokens += (requests.traffic.promptTokens[r] ?? 0) - (requests.cachedTokens[r] ?? 0);
        }
        continue;
      }
      const arrival = requests.traffic.arrivalNs[r] ?? 0;
      const first = requests.firstTokenNs[r] ?? Number.NaN;
      const scheduled = requests.scheduledNs[r] ?? Number.NaN;
      if (!Number.isNaN(first)) tier.ttft.push((first - arrival) / 1e6);
      if (!Number.isNaN(scheduled)) tier.queue.push((scheduled - arrival) / 1e6);
      if (requests.phase[r] !== Phase.completed) continue;
      tier.completed++;
      if (isGood(this.spec.slo, requests, r)) tier.good++;
    }
    columns.reasons.forEach((reason, i) => {
      const n = desk.refusalsByReason[i] ?? 0;
      if (n > 0) this.refusalsByReason.set(reason, (this.refusalsByReason.get(reason) ?? 0) + n);
    });
    this.refusals += desk.refusals;
    this.retried += desk.retried;
    const { prefill, decode } = desk.load;
    if (prefill.length < 2) return;
    const stepS = replicate.sampleStepNs / 1e9;
    this.loads.push({
      prefill: loadSummary(prefill, stepS),
      decode: loadSummary(decode, stepS),
      correlation: correlation(prefill, decode),
    });
  }

  /** Undefined where the spec asks for no admission. */
  summary(makespanS: number): AdmissionSummary | undefined {
    const { slo, policy } = this.spec;
    const { admission } = policy;
    if (admission === undefined) return undefined;
    const correlations = this.loads.flatMap((l) => (l.correlation === undefined ? [] : [l.correlation]));
    return {
      policy: admission.policy,
      refusals: this.refusals,
      refusals_by_reason: Object.fromEntries([...this.refusalsByReason].sort(([a], [b]) => (a < b ? -1 : 1))),
      retried: this.retried,
      wasted_prefills: this.wastedPrefills,
      wasted_prompt_tokens: this.wastedTokens,
      prefill_load: meanLoad(this.loads.map((l) => l.prefill)),
      decode_load: meanLoad(this.loads.map((l) => l.decode)),
      ...(correlations.length > 0 ? { load_correlation: meanOf(correlations) } : {}),
      tiers: tiersOf(admission, slo).map((tier, i): TierSummary => {
        const at = this.tiers[i] ?? { arrived: 0, rejected: 0, completed: 0, good: 0, ttft: [], queue: [] };
        const ttft = distribution(at.ttft);
        const queue = distribution(at.queue);
        const judged = Object.keys(tier.slo).length > 0;
        return {
          tier: i,
          name: tier.name,
          reserved: tier.reserved,
          slo: definite(tier.slo),
          arrived: at.arrived,
          rejected: at.rejected,
          completed: at.completed,
          unfinished: at.arrived - at.rejected - at.completed,
          ...(judged
            ? {
                good_requests: at.good,
                goodput_rps: makespanS > 0 ? at.good / makespanS : 0,
                ...(at.arrived > 0 ? { good_share: at.good / at.arrived } : {}),
              }
            : {}),
          ...(ttft === undefined ? {} : { ttft_ms: ttft }),
          ...(queue === undefined ? {} : { queue_ms: queue }),
        };
      }),
    };
  }
}

const definite = (slo: RunSpec['slo']): TierSummary['slo'] => ({
  ...(slo.ttft_ms === undefined ? {} : { ttft_ms: slo.ttft_ms }),
  ...(slo.tpot_ms === undefined ? {} : { tpot_ms: slo.tpot_ms }),
  ...(slo.e2e_ms === undefined ? {} : { e2e_ms: slo.e2e_ms }),
});

function loadSummary(samples: readonly number[], stepS: number): LoadSummary {
  const found = swing(samples);
  return {
    mean: meanOf(samples),
    std: deviation(samples),
    ...(found === undefined ? {} : { period_s: found.lag * stepS, autocorrelation: found.autocorrelation }),
  };
}

/** Means over the replicates; the swing over those that swing. */
function meanLoad(loads: readonly LoadSummary[]): LoadSummary {
  if (loads.length === 0) return { mean: 0, std: 0 };
  const swinging = loads.filter((l) => l.period_s !== undefined);
  return {
    mean: meanOf(loads.map((l) => l.mean)),
    std: meanOf(loads.map((l) => l.std)),
    ...(swinging.length === 0
      ? {}
      : {
          period_s: meanOf(swinging.map((l) => l.period_s ?? 0)),
          autocorrelation: meanOf(swinging.map((l) => l.autocorrelation ?? 0)),
        }),
  };
}
