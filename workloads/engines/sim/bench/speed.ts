import { findTarget } from '../../../catalog/catalog.ts';
import { EventQueue } from '../../../cluster/eventQueue.ts';
import { Recorder } from '../../../record/recorder.ts';
import { stream } from '../../../run/random.ts';
import { type RunSpec, runSpec } from '../../../run/spec.ts';
import { absentInt32 } from '../../../run/tables.ts';
import type { Traffic } from '../../../traffic/traffic.ts';
import { simReplicate } from '../simReplicate.ts';

/** How fast the simulator is: runs that a script times, since this room knows no clock. */
export interface SpeedRun {
  readonly name: string;
  readonly requests: number;
  readonly outputTokens: number;
  readonly passes: number;
  readonly events: number;
  readonly wallMs: number;
}

const nowhere = { batch() {}, progress() {}, log() {} };

/** Runs `spec` once, every table written. `now` in ms. */
export function timeRun(name: string, spec: RunSpec, traffic: Traffic, now: () => number): SpeedRun {
  const start = now();
  const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, nowhere), () => {});
  while (!replicate.advance(Number.POSITIVE_INFINITY, 1_000_000));
  const wallMs = now() - start;
  return {
    name,
    requests: replicate.completed,
    outputTokens: replicate.instances.reduce((sum, i) => sum + i.counters.outputTokensDone, 0),
    passes: replicate.instances.reduce((sum, i) => sum + i.counters.passesDone, 0),
    events: replicate.events,
    wallMs,
  };
}

/** The lab's target on a trace: the spec that `dyno bench --trace` makes. */
export function traceSpec(variant: string, parameters: Record<string, number | string> = {}): RunSpec {
  const target = findTarget('labs/dynamic_router:dynamic_router');
  if (target === undefined) throw new Error('no dynamic router in the catalogue');
  return target.spec({ variant, engine: 'sim', parameters, seed: 0, iterations: 1 });
}

/** The same cluster with little HBM (a third of Mooncake's node) and all three tiers below, shared by the node of eight. */
export function tieredSpec(): RunSpec {
  const spec = traceSpec('baseline', { kv_memory: 'given', kv_blocks: 2000, block_tokens: 512 });
  const link = { read_gb_per_s: 51, write_gb_per_s: 51, latency_us: 10, decode_share: 0.01 };
  return runSpec.parse({
    ...spec,
    cluster: {
      ...spec.cluster,
      kv: {
        ...spec.cluster.kv,
        tiers: {
          node_instances: 8,
          levels: [
            { kind: 'peer', blocks: 500, shared: true, link: 'instance', donors: 'instances', ...link },
            { kind: 'host', blocks: 4000, shared: true, link: 'instance', ...link },
            { kind: 'disk', blocks: 20000, shared: true, link: 'node', ...link },
          ],
          write: 'back',
          overflow: 'demote',
          load: 'cheaper',
          staging_gb: 2,
          decode_latency_budget_ms: 50,
        },
      },
    },
  });
}

/** A million requests on 1,024 instances: Poisson arrivals at a load of about one half, no detail written. */
export function million(requests = 1_000_000, instances = 1024): { spec: RunSpec; traffic: Traffic } {
  const target = findTarget('labs/dynamic_router:dynamic_router');
  if (target === undefined) throw new Error('no dynamic router in the catalogue');
  const chosen = target.spec({
    variant: 'baseline',
    engine: 'sim',
    parameters: { instances },
    seed: 0,
    iterations: 1,
  });
  const spec = runSpec.parse({
    ...chosen,
    detail: { requests: 'none', decisions: 'none', iterations: 'none', token_gaps: 'none' },
  });
  const gaps = stream(1, 'arrivals');
  const lengths = stream(1, 'lengths');
  const arrivalNs = new Float64Array(requests);
  const promptTokens = new Int32Array(requests);
  const outputTokens = new Int32Array(requests);
  let at = 0;
  for (let r = 0; r < requests; r++) {
    at += gaps.exponential(1e9 / (8 * instances));
    arrivalNs[r] = Math.round(at);
    promptTokens[r] = 1 + Math.round(Math.exp(6.5 + 0.9 * lengths.gaussian()));
    outputTokens[r] = 1 + Math.round(Math.exp(5 + 0.8 * lengths.gaussian()));
  }
  return {
    spec,
    traffic: {
      name: 'a million',
      requests,
      arrivalNs,
      promptTokens,
      outputTokens,
      priority: new Uint8Array(requests),
      session: new Int32Array(requests).fill(absentInt32),
      blockTokens: 0,
      blockOffsets: new Int32Array(requests + 1),
      blockIds: new Int32Array(0),
      uniqueBlocks: 0,
    },
  };
}

/** The event queue alone: `pending` events, then pops, each followed by a push. Events per second. */
export function queueRate(pending: number, handled: number, now: () => number): number {
  const random = stream(3, 'queue');
  const queue = new EventQueue();
  for (let i = 0; i < pending; i++) queue.push(Math.round(random.uniform() * 1e9), 0, i);
  const start = now();
  for (let i = 0; i < handled; i++) {
    queue.pop();
    queue.push(queue.at + Math.round(random.uniform() * 1e9), 0, queue.first);
  }
  return (handled / (now() - start)) * 1000;
}
