import { gpusOf } from '../run/instanceSpec.ts';
import type { ClassShare, ModelShare, QualitySummary } from '../run/qualitySummary.ts';
import type { RunSpec } from '../run/spec.ts';
import { Phase } from '../serving/requestTable.ts';
import type { ReplicateResult } from './replicateResult.ts';

type Open<T> = { -readonly [K in keyof T]: T[K] };

/** Counts answers by model and by need, over all replicates. */
export class QualityTotals {
  private readonly spec: RunSpec;
  private readonly models: Open<ModelShare>[] = [];
  private readonly classes: Open<ClassShare>[] = [];
  private oversized = 0;
  private named = 0;
  private arrived = 0;

  constructor(spec: RunSpec) {
    this.spec = spec;
    const { complexity } = spec.policy;
    if (complexity === undefined) return;
    for (const model of complexity.ladder) {
      const members = spec.cluster.instances.filter((i) => (i.model ?? spec.cluster.model) === model);
      this.models.push({
        model,
        instances: members.length,
        gpus: members.reduce((sum, i) => sum + gpusOf(i), 0),
        completed: 0,
        adequate: 0,
        gpu_seconds: 0,
      });
      this.classes.push({ needs: model, arrived: 0, completed: 0, adequate: 0 });
    }
  }

  add(replicate: ReplicateResult): void {
    const { requests, replicas } = replicate;
    const { complexity } = requests;
    if (complexity === undefined) return;
    const { cluster } = this.spec;
    const rankOf = cluster.instances.map((i) => complexity.ladder.indexOf(i.model ?? cluster.model));
    const end = Math.max(replicate.clock, replicate.lastFinish);
    replicas.forEach((replica, i) => {
      const at = this.models[rankOf[i] ?? -1];
      const own = cluster.instances[i];
      if (at !== undefined && own !== undefined) {
        at.gpu_seconds += (replica.totals(end).busyNs / 1e9) * gpusOf(own);
      }
    });
    for (let r = 0; r < replicate.arrived; r++) {
      if (!requests.came(r)) continue;
      const needs = complexity.truth[r] ?? 0;
      const klass = this.classes[needs];
      if (klass === undefined) continue;
      klass.arrived++;
      this.arrived++;
      if (complexity.seen[r] === needs) this.named++;
      if (requests.phase[r] !== Phase.completed) continue;
      klass.completed++;
      const rank = rankOf[requests.decodeInstance[r] ?? -1] ?? -1;
      const model = this.models[rank];
      if (model === undefined) continue;
      model.completed++;
      if (rank > needs) this.oversized++;
      if (rank < needs) continue;
      model.adequate++;
      klass.adequate++;
    }
  }

  /** Undefined where the spec says nothing of complexity. */
  summary(): QualitySummary | undefined {
    const { complexity } = this.spec.policy;
    if (complexity === undefined) return undefined;
    const sum = (of: (model: ModelShare) => number) => this.models.reduce((total, m) => total + of(m), 0);
    const completed = sum((m) => m.completed);
    const gpuSeconds = sum((m) => m.gpu_seconds);
    const share = (count: number, of: number): number => (of > 0 ? count / of : 0);
    return {
      classifier: complexity.classifier.kind,
      classifier_accuracy: share(this.named, this.arrived),
      adequate_share: share(
        sum((m) => m.adequate),
        completed,
      ),
      oversized_share: share(this.oversized, completed),
      gpu_seconds: gpuSeconds,
      gpu_seconds_per_request: share(gpuSeconds, completed),
      models: this.models.map((m) => ({ ...m })),
      classes: this.classes.map((c) => ({ ...c })),
    };
  }
}
