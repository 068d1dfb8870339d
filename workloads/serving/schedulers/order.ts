import type { OrderSpec, RequestClassSpec } from '../../run/schedulerSpec.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import type { Ns } from '../../units.ts';
import { IntQueue } from '../intQueue.ts';
import { predictedOutputs } from './lengthPredictor.ts';
import { OrderedQueue } from './orderedQueue.ts';
import type { WaitingQueue } from './scheduler.ts';

/** What orders may look at. Nothing here but the oracle's own order sees true output lengths. */
export interface OrderContext {
  readonly traffic: Traffic;
  readonly seed: number;
  readonly replicate: number;
  readonly classes: readonly RequestClassSpec[];
  readonly classOf: Uint8Array;
  /** TTFT objective of requests without a class, ms; absent where none was given. */
  readonly ttftMs?: number;
  /** Unloaded rates of the instances: what an operator measures once. */
  readonly prefillTokensPerSec: number;
  readonly decodeNs: Ns;
}

/** A queue discipline with its keys computed once per replicate: every instance gets a queue over the same keys. */
export interface Order {
  /** An arrival can become the head. */
  readonly reorders: boolean;
  /** The head can change as time passes. */
  readonly ages: boolean;
  /** Smaller is served first and preempted last; absent: order of admission. */
  readonly keys?: ArrayLike<number>;
  queue(): WaitingQueue;
}

const ordered = (keys: Float64Array, latestStart?: Float64Array): Order => ({
  reorders: true,
  ages: latestStart !== undefined,
  keys,
  queue: () => new OrderedQueue(keys, latestStart),
});

export function orderOf(spec: OrderSpec, context: OrderContext): Order {
  const { traffic } = context;
  const n = traffic.requests;
  const column = (value: (r: number) => number): Float64Array => {
    const values = new Float64Array(n);
    for (let r = 0; r < n; r++) values[r] = value(r);
    return values;
  };
  const arrival = (r: number): Ns => traffic.arrivalNs[r] ?? 0;
  const prefillNs = (r: number): Ns => ((traffic.promptTokens[r] ?? 0) / context.prefillTokensPerSec) * 1e9;
  const shortest = (outputs: ArrayLike<number>, aging: number): Order =>
    ordered(column((r) => prefillNs(r) + ((outputs[r] ?? 1) - 1) * context.decodeNs + aging * arrival(r)));
  const deadline = (r: number): Ns => {
    const ms = context.classes[context.classOf[r] ?? 0]?.ttft_ms ?? context.ttftMs ?? 0;
    return arrival(r) + ms * 1e6;
  };
  switch (spec.kind) {
    case 'fcfs':
      return { reorders: false, ages: false, queue: () => new IntQueue() };
    case 'shortest_prompt':
      return ordered(column((r) => prefillNs(r) + spec.aging * arrival(r)));
    case 'shortest_job':
      return shortest(
        predictedOutputs(traffic, context.seed, context.replicate, spec.predictor_error),
        spec.aging,
      );
    case 'oracle_shortest_job':
      return shortest(traffic.outputTokens, spec.aging);
    case 'earliest_deadline':
    case 'least_slack': {
      const latestStart = column((r) => deadline(r) - prefillNs(r));
      const keys = spec.kind === 'least_slack' ? latestStart : column(deadline);
      return ordered(keys, spec.late_last ? latestStart : undefined);
    }
    case 'class_priority':
      // A class outweighs any difference of arrivals.
      return ordered(column((r) => (context.classOf[r] ?? 0) * (arrival(n - 1) + 1) + arrival(r)));
    default: {
      const never: never = spec;
      return never;
    }
  }
}
