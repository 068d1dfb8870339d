import type { Recorder } from '../record/recorder.ts';
import type { ClusterView } from '../routing/router.ts';
import { PoolLoads } from '../serving/admission/load.ts';
import type { Replica } from '../serving/replica.ts';
import type { Ns } from '../units.ts';
import { TelemetryBoard } from './telemetryBoard.ts';

interface Pool {
  readonly source: string;
  readonly prompts: readonly number[];
  readonly decoders: readonly number[];
}

const fillingShare = 0.2;

/** The true load of the pools over time: into the `samples` table, and kept for the summary. */
export class LoadMeter {
  /** Samples while requests arrive, equal steps apart, less the first fifth, in which an empty cluster fills. */
  readonly prefill: number[] = [];
  readonly decode: number[] = [];
  private readonly loads: PoolLoads;
  private readonly board: TelemetryBoard;
  private readonly replicas: readonly Replica[];
  private readonly pools: readonly Pool[];
  private readonly lastArrivalNs: Ns;

  constructor(cluster: ClusterView, replicas: readonly Replica[], lastArrivalNs: Ns) {
    this.loads = new PoolLoads(cluster);
    this.board = new TelemetryBoard(cluster.instances);
    this.replicas = replicas;
    this.lastArrivalNs = lastArrivalNs;
    const of = (role: string, from: Int32Array) => [...from].filter((i) => cluster.role[i] === role);
    this.pools = ['prefill', 'decode', 'mixed'].map((role) => ({
      source: `pool:${role}`,
      prompts: of(role, this.loads.prompts),
      decoders: of(role, this.loads.decoders),
    }));
  }

  /** All instances were advanced to t. */
  sample(t: Ns, recorder: Recorder): void {
    const { loads, board } = this;
    board.take(this.replicas, t);
    for (const { source, prompts, decoders } of this.pools) {
      recorder.sample(
        t,
        source,
        'prefill_load',
        mean(prompts, (i) => loads.prefillOf(board, i)),
      );
      recorder.sample(
        t,
        source,
        'decode_load',
        mean(decoders, (i) => loads.decodeOf(board, i)),
      );
    }
    if (t < fillingShare * this.lastArrivalNs || t > this.lastArrivalNs) return;
    this.prefill.push(mean(loads.prompts, (i) => loads.prefillOf(board, i)));
    this.decode.push(loads.decode(board));
  }
}

/** NaN for none: a sample that is left out. */
function mean(members: ArrayLike<number>, load: (i: number) => number): number {
  let sum = 0;
  for (let k = 0; k < members.length; k++) sum += load(members[k] ?? 0);
  return sum / members.length;
}
