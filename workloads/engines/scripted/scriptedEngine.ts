import { everyCapability } from '../../run/capability.ts';
import type { Engine } from '../../run/engine.ts';
import type { Executor } from '../../serving/executor.ts';
import type { Instance } from '../../serving/instance.ts';
import type { PassPlan, PassResult } from '../../serving/passPlan.ts';
import type { Ns } from '../../units.ts';
import { checkSpec } from '../sim/checkSpec.ts';
import { simReplicas } from '../sim/simReplicas.ts';
import { WallRun } from '../wall/wallRun.ts';

/** Calls back at a time that is waited for. */
export type Alarm = (at: Ns, call: () => void) => void;

/** Pretends to be a device: each pass takes as long as the instance's cost model says, in real time. */
class ScriptedExecutor implements Executor {
  private readonly alarm: Alarm;
  passes = 0;

  constructor(alarm: Alarm) {
    this.alarm = alarm;
  }

  run(instance: Instance, plan: PassPlan, startNs: Ns, done: (result: PassResult) => void): void {
    if (plan.rows === 0) throw new Error(`instance ${instance.index}: a pass without rows`);
    this.passes++;
    const endNs = startNs + instance.cost.iterationNs(instance.shape);
    this.alarm(endNs, () => done({ startNs, endNs }));
  }
}

/**
 * The smallest engine in real time, for tests: the cluster of the simulator, served by executors whose pass times are known.
 * It shows what an engine has to bring along, and that everything above the executor is the same as in the simulator.
 */
export const scriptedEngine = (alarm: Alarm): Engine => ({
  id: 'cuda',
  virtualTime: false,
  offers: everyCapability,
  check: checkSpec,
  open: (spec, trafficOf, sink, time) => {
    checkSpec(spec, trafficOf(0));
    return WallRun.open(spec, trafficOf, sink, time, {
      maker: (request) => simReplicas(request, () => new ScriptedExecutor(alarm)),
    });
  },
});
