import { placedOn } from '../../workloads/catalog/placement.ts';
import type { Target } from '../../workloads/catalog/target.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import type { RunSpec, TrafficSpec } from '../../workloads/run/spec.ts';
import type { FormValues, TraceChoice } from './runForm.ts';
import { serverOf } from './serverChoice.ts';

export const trafficOf = (trace: TraceChoice): TrafficSpec => ({ kind: 'trace', ...trace });

/** @throws InputError where the values contradict each other, or a server is not well named */
export function specOf(target: Target, variant: string, values: FormValues): RunSpec {
  const spec = target.spec({
    variant,
    engine: values.engine,
    parameters: values.parameters,
    ...(values.trace === null ? {} : { traffic: trafficOf(values.trace) }),
    seed: values.seed,
    iterations: values.iterations,
  });
  if (values.engine !== 'http') return spec;
  const servers = (values.servers ?? []).map((fields, i) => {
    const server = serverOf(fields, i);
    if (typeof server === 'string') throw new InputError(`server ${i + 1}: ${server}`);
    return server;
  });
  return placedOn(spec, { engine: 'http', servers });
}
