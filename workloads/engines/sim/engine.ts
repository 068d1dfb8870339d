import type { Replicate } from '../../cluster/replicate.ts';
import { declareModels } from '../../model/models.ts';
import { Recorder } from '../../record/recorder.ts';
import { Totals } from '../../record/totals.ts';
import { everyCapability } from '../../run/capability.ts';
import type { Engine, Run } from '../../run/engine.ts';
import type { RunSpec } from '../../run/spec.ts';
import type { Summary } from '../../run/summary.ts';
import type { EventSink } from '../../run/tables.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import type { Ns } from '../../units.ts';
import { checkSpec } from './checkSpec.ts';
import { simReplicate } from './simReplicate.ts';

/** Replicates one after the other, on one clock that goes on counting. */
class SimulatedRun implements Run {
  private readonly spec: RunSpec;
  private readonly trafficOf: (replicate: number) => Traffic;
  private readonly recorder: Recorder;
  private readonly totals: Totals;
  private current: Replicate;
  private index = 0;
  /** Where the clock of the current replicate starts on the run's clock. */
  private offset: Ns = 0;
  private over = false;

  constructor(spec: RunSpec, trafficOf: (replicate: number) => Traffic, sink: EventSink) {
    declareModels(spec);
    this.spec = spec;
    this.trafficOf = trafficOf;
    this.recorder = new Recorder(spec, sink);
    const traffic = trafficOf(0);
    this.totals = new Totals(spec, traffic);
    this.current = this.open(traffic);
  }

  private open(traffic: Traffic): Replicate {
    checkSpec(this.spec, traffic);
    const own = this.spec.cluster.kv.block_tokens;
    if (this.index === 0 && traffic.blockTokens > 0 && traffic.blockTokens !== own) {
      this.recorder.sink.log(
        'info',
        `KV blocks of ${traffic.blockTokens} tokens, as the traffic names its prefixes, instead of ${own}; the memory is the same`,
      );
    }
    this.recorder.startReplicate(this.index);
    return simReplicate(this.spec, traffic, this.index, this.recorder, (done, clock) => {
      const each = this.current.requests.count;
      this.recorder.sink.progress(this.index * each + done, this.spec.iterations * each, this.offset + clock);
    });
  }

  get clock(): Ns {
    return this.offset + this.current.clock;
  }

  step(until: Ns, maxEvents: number): boolean {
    if (this.over) return true;
    if (!this.current.advance(until - this.offset, maxEvents)) return false;
    if (this.index + 1 >= this.spec.iterations) {
      this.over = true;
      return true;
    }
    this.offset += this.current.clock;
    this.totals.add(this.current);
    this.index++;
    this.current = this.open(this.trafficOf(this.index));
    return false;
  }

  flush(): void {
    this.recorder.flush();
  }

  finish(): Summary {
    this.over = true;
    this.current.close();
    this.totals.add(this.current);
    this.recorder.flush();
    return this.totals.summary();
  }
}

/** The deterministic discrete-event simulator: the same spec and traffic give the same events and the same summary. */
export const simEngine = {
  id: 'sim',
  virtualTime: true,
  offers: everyCapability,
  check: checkSpec,
  open: (spec: RunSpec, trafficOf: (replicate: number) => Traffic, sink: EventSink): SimulatedRun =>
    new SimulatedRun(spec, trafficOf, sink),
} as const satisfies Engine;
