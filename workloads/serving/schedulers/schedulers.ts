import { type Profile, profile } from '../../cost/costModels.ts';
import type { Sketch } from '../../metrics/sketch.ts';
import type { RequestClassSpec, SchedulerPolicySpec } from '../../run/schedulerSpec.ts';
import type { Bytes, Tokens } from '../../units.ts';
import type { Instance } from '../instance.ts';
import type { InstanceEvents, InstanceSettings } from '../instanceSettings.ts';
import { continuousInstance, staticInstance } from '../makeInstance.ts';
import type { RequestTable } from '../requestTable.ts';
import { BucketQueue, bucketsBySize } from './bucketQueue.ts';
import { ChunkedPrefill } from './chunkedPrefill.ts';
import { predictedOutputs } from './lengthPredictor.ts';
import { type Order, type OrderContext, orderOf } from './order.ts';
import { PassCap } from './passCap.ts';
import { PrefillFirst } from './prefillFirst.ts';
import { requestClasses } from './requestClasses.ts';
import { SwapSpace } from './swapSpace.ts';

/** Every scheduler that a spec may name, for forms, help and tests. */
export const schedulers: readonly {
  readonly id: SchedulerPolicySpec['kind'];
  readonly label: string;
  readonly help: string;
  /** No instance stands idle while it holds a request that it could admit. */
  readonly conservesWork: boolean;
}[] = [
  {
    id: 'chunked_prefill',
    label: 'Continuous batching, chunked prefill',
    help: 'vLLM V1: each pass gives every sequence a token and the rest of its budget to chunks of prompts.',
    conservesWork: true,
  },
  {
    id: 'prefill_first',
    label: 'Continuous batching, prefill first',
    help: 'vLLM V0: whole prompts in passes of their own; decoding stands still meanwhile.',
    conservesWork: true,
  },
  {
    id: 'static',
    label: 'Static batching',
    help: 'A batch is formed, padded, and runs until its longest answer ends; no request joins meanwhile.',
    conservesWork: false,
  },
];

export interface SchedulingContext {
  readonly policy: SchedulerPolicySpec;
  readonly requests: RequestTable;
  readonly seed: number;
  readonly replicate: number;
  /** TTFT objective of the run, ms; absent where none was given. */
  readonly ttftMs?: number;
  readonly kvBytesPerToken: Bytes;
}

/** The schedulers of one replicate: classes, predictions and orders are drawn once, each instance gets its own queue. */
export class Scheduling {
  readonly classes: readonly RequestClassSpec[];
  /** Class of each request; empty where the policy has none. */
  readonly classOf: Uint8Array;
  private readonly context: SchedulingContext;
  private order: Order | undefined;
  private buckets: Uint8Array | undefined;

  constructor(context: SchedulingContext) {
    const { policy, requests, seed, replicate } = context;
    this.context = context;
    this.classes = policy.classes ?? [];
    this.classOf =
      this.classes.length === 0
        ? new Uint8Array(0)
        : requestClasses(this.classes, requests.count, seed, replicate);
  }

  /** Makes the instance; the order of all of them follows the rates of the first. */
  instance(settings: InstanceSettings, events: InstanceEvents, itlMs: Sketch): Instance {
    const { policy, requests, kvBytesPerToken } = this.context;
    if (policy.kind === 'static') {
      const wait = Math.round(policy.wait_ms * 1e6);
      const { traffic } = requests;
      const list = policy.buckets?.list ?? [{ name: 'all', batch: policy.batch }];
      const queue = new BucketQueue(list, this.bucketOf(policy), traffic.arrivalNs, wait);
      return staticInstance(settings, requests, events, itlMs, queue);
    }
    const rates = profile(settings.cost, settings.maxBatchedTokens);
    this.order ??= orderOf(policy.order, this.orderContext(rates));
    const swap =
      policy.preemption.kind === 'swap'
        ? new SwapSpace(policy.preemption, settings.blockTokens * kvBytesPerToken)
        : undefined;
    const capped = this.classes.some((c) => c.pass_ms !== undefined);
    const scheduler =
      policy.kind === 'prefill_first'
        ? new PrefillFirst(this.order, swap)
        : new ChunkedPrefill(
            this.order,
            swap,
            capped ? new PassCap(this.classes, this.classOf, rates) : undefined,
          );
    return continuousInstance({ ...settings, scheduler }, requests, events, itlMs);
  }

  private orderContext(rates: Profile): OrderContext {
    const { requests, seed, replicate, ttftMs } = this.context;
    return {
      traffic: requests.traffic,
      seed,
      replicate,
      classes: this.classes,
      classOf: this.classOf,
      ...(ttftMs === undefined ? {} : { ttftMs }),
      prefillTokensPerSec: rates.prefillRate,
      decodeNs: rates.decodeNs,
    };
  }

  /** Bucket of each request, by its prompt and its predicted answer. */
  private bucketOf(policy: Extract<SchedulerPolicySpec, { kind: 'static' }>): Uint8Array | undefined {
    if (policy.buckets === undefined || this.buckets !== undefined) return this.buckets;
    const { requests, seed, replicate } = this.context;
    const { traffic } = requests;
    const answers = predictedOutputs(traffic, seed, replicate, policy.buckets.predictor_error);
    const sizes: Tokens[] = Array.from(answers, (answer, r) => (traffic.promptTokens[r] ?? 0) + answer);
    this.buckets = bucketsBySize(
      policy.buckets.list.map((b) => b.up_to_tokens),
      sizes,
    );
    return this.buckets;
  }
}
