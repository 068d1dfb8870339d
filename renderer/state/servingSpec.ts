import type { Target } from '../../workloads/catalog/target.ts';
import type { RunSpec, TrafficSpec } from '../../workloads/run/spec.ts';
import type { FormValues, TraceChoice } from './runForm.ts';

export const trafficOf = (trace: TraceChoice): TrafficSpec => ({ kind: 'trace', ...trace });

/** @throws InputError of the target where the values contradict each other */
export function specOf(target: Target, variant: string, values: FormValues): RunSpec {
  return target.spec({
    variant,
    engine: values.engine,
    parameters: values.parameters,
    ...(values.trace === null ? {} : { traffic: trafficOf(values.trace) }),
    seed: values.seed,
    iterations: values.iterations,
  });
}
