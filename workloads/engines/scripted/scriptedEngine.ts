import { everyCapability } from '../../run/capability.ts';
import type { Engine, HostTime } from '../../run/engine.ts';
import type { KvCarrier } from '../../serving/blockTables.ts';
import type { Executor } from '../../serving/executor.ts';
import type { Instance } from '../../serving/instance.ts';
import type { PassPlan, PassResult } from '../../serving/passPlan.ts';
import { wholeBlocks } from '../../traffic/wholeBlocks.ts';
import type { Ns } from '../../units.ts';
import { checkSpec } from '../sim/checkSpec.ts';
import { simReplicas } from '../sim/simReplicas.ts';
import { WallRun } from '../wall/wallRun.ts';

/** A device that computes nothing: it says when a pass ends, and may look at what the pass reads and writes. */
export interface ScriptedDevice {
  /** Calls back at a time that is waited for. */
  alarm(at: Ns, call: () => void): void;
  /** Sees each pass as it is launched. */
  pass?(instance: Instance, plan: PassPlan): void;
  /** Sees each copy of KV blocks as it ends. */
  copy?(move: Parameters<KvCarrier['carry']>[0]): void;
}

/** Each pass takes as long as the instance's cost model says, in real time. */
class ScriptedExecutor implements Executor {
  private readonly device: ScriptedDevice;

  constructor(device: ScriptedDevice) {
    this.device = device;
  }

  run(instance: Instance, plan: PassPlan, startNs: Ns, done: (result: PassResult) => void): void {
    if (plan.rows === 0) throw new Error(`instance ${instance.index}: a pass without rows`);
    this.device.pass?.(instance, plan);
    const endNs = startNs + instance.cost.iterationNs(instance.shape);
    this.device.alarm(endNs, () => done({ startNs, endNs }));
  }
}

const copyNs = 1e6;

class ScriptedCarrier implements KvCarrier {
  private readonly device: ScriptedDevice;
  private readonly time: HostTime;

  constructor(device: ScriptedDevice, time: HostTime) {
    this.device = device;
    this.time = time;
  }

  carry(move: Parameters<KvCarrier['carry']>[0], done: (at: Ns) => void): void {
    const at = this.time.now() + copyNs;
    this.device.alarm(at, () => {
      this.device.copy?.(move);
      done(at);
    });
  }
}

/**
 * The smallest engine in real time, for tests: the cluster of the simulator, served by executors whose pass times are known.
 * It shows what an engine has to bring along, and that everything above the executor is the same as in the simulator.
 */
export const scriptedEngine = (device: ScriptedDevice): Engine => ({
  id: 'cuda',
  virtualTime: false,
  offers: everyCapability,
  check: checkSpec,
  open: (spec, trafficOf, sink, time) => {
    const whole = (replicate: number) => wholeBlocks(trafficOf(replicate));
    checkSpec(spec, whole(0));
    const carrier = device.copy === undefined ? undefined : new ScriptedCarrier(device, time);
    return WallRun.open(spec, whole, sink, time, {
      maker: (request) => simReplicas(request, () => new ScriptedExecutor(device), carrier),
    });
  },
});
