import type { HostParams } from '../../electron/contract/protocol.ts';
import type {
  Parameter,
  ParameterGroup,
  ParameterValue,
  ParameterValues,
} from '../../workloads/run/parameter.ts';
import type { ServerFields } from '../../workloads/run/serverAddress.ts';
import { shellWord } from '../../workloads/run/shellWord.ts';
import type { EngineId, TrafficSpec } from '../../workloads/run/spec.ts';
import { traceWords } from '../../workloads/run/traceWords.ts';
import type { AnyTarget } from './catalogue.ts';
import { withTarget } from './kinds/runKinds.ts';
import { serversProblem } from './serverChoice.ts';

/** The spec that a run is started with. */
export type StartedSpec = HostParams<'runs.start'>['specs'][number];

/** A trace file that replaces the traffic that the parameters describe. */
export type TraceChoice = Omit<Extract<TrafficSpec, { kind: 'trace' }>, 'kind'>;

/** The user's choices for one target. */
export interface FormValues {
  readonly parameters: ParameterValues;
  readonly engine: EngineId;
  readonly trace: TraceChoice | null;
  /** Engine http: what serves; absent: none was named yet. */
  readonly servers?: readonly ServerFields[];
  readonly seed: number;
  readonly iterations: number;
  /** The variant that is run against the baseline. */
  readonly compared: string;
  /** Kernel targets: what is recorded beside times; absent: nothing. */
  readonly record?: RecordChoice;
}

export interface RecordChoice {
  readonly kernels: boolean;
  readonly counters: boolean;
}

export const groupTitles: Readonly<Record<ParameterGroup, string>> = {
  traffic: 'Traffic',
  cluster: 'Cluster',
  model: 'Model',
  scheduler: 'Scheduler',
  policy: 'Policy',
  slo: 'Service levels',
  measurement: 'Measurement',
};
export const groupOrder: readonly ParameterGroup[] = [
  'traffic',
  'cluster',
  'model',
  'scheduler',
  'policy',
  'slo',
  'measurement',
];

/** The variant that the others are compared with: the one named `baseline`, else the first. */
export function baselineOf({ variants }: Pick<AnyTarget, 'variants'>): string {
  return variants.find(({ id }) => id === 'baseline')?.id ?? variants[0]?.id ?? 'baseline';
}

const knownDefaults = new WeakMap<AnyTarget, FormValues>();

/** The form's values before any choice; the same object each time, so that a store selector may return it. */
export function defaultsOf(target: AnyTarget): FormValues {
  const known = knownDefaults.get(target);
  if (known !== undefined) return known;
  const fresh = freshDefaults(target);
  knownDefaults.set(target, fresh);
  return fresh;
}

function freshDefaults(target: AnyTarget): FormValues {
  const others = target.variants.map(({ id }) => id).filter((id) => id !== baselineOf(target));
  return {
    parameters: Object.fromEntries(target.parameters.map((parameter) => [parameter.id, parameter.default])),
    engine: withTarget(target, (kind, own) => kind.engines(own))[0] ?? 'sim',
    trace: null,
    seed: 0,
    iterations: withTarget(target, ({ defaultIterations }) => defaultIterations),
    compared: others.find((id) => id === 'optimized') ?? others[0] ?? baselineOf(target),
  };
}

/** A parameter counts while its condition holds. */
export function isActive(parameter: Parameter, values: ParameterValues): boolean {
  const { when } = parameter;
  if (when === undefined) return true;
  const value = values[when.parameter];
  return value !== undefined && when.is.includes(value);
}

const range = (parameter: Parameter & { kind: 'number' | 'integer' }) =>
  `${parameter.min} to ${parameter.max}${parameter.unit === '' ? '' : ` ${parameter.unit}`}`;

/** Describes an invalid value in one sentence with range and unit; null if the value is valid. */
export function problemOf(parameter: Parameter, value: ParameterValue | undefined): string | null {
  switch (parameter.kind) {
    case 'boolean':
      return typeof value === 'boolean' ? null : 'on or off was expected';
    case 'choice':
      return parameter.choices.some((choice) => choice.id === value)
        ? null
        : `one of ${parameter.choices.map((choice) => choice.id).join(', ')} was expected`;
    case 'text':
      return typeof value === 'string' && value.trim() !== ''
        ? null
        : `a ${parameter.placeholder} was expected`;
    case 'number':
    case 'integer':
      if (typeof value !== 'number' || !Number.isFinite(value))
        return `a number was expected, ${range(parameter)}`;
      if (parameter.kind === 'integer' && !Number.isInteger(value))
        return `a whole number was expected, ${range(parameter)}`;
      return value < parameter.min || value > parameter.max ? `${range(parameter)} was expected` : null;
    default:
      return parameter satisfies never;
  }
}

export function problemsOf(
  target: Pick<AnyTarget, 'parameters'>,
  values: FormValues,
): Readonly<Record<string, string>> {
  const problems: Record<string, string> = {};
  for (const parameter of target.parameters) {
    if (!isActive(parameter, values.parameters)) continue;
    const problem = problemOf(parameter, values.parameters[parameter.id]);
    if (problem !== null) problems[parameter.id] = problem;
  }
  const servers = values.engine === 'http' ? serversProblem(values.servers ?? []) : null;
  if (servers !== null) problems['servers'] = servers;
  if (!Number.isInteger(values.seed) || values.seed < 0 || values.seed > 0xffffffff)
    problems['seed'] = 'a whole number was expected, 0 to 4294967295';
  if (!Number.isInteger(values.iterations) || values.iterations < 1 || values.iterations > 1000)
    problems['iterations'] = 'a whole number was expected, 1 to 1000';
  return problems;
}

/**
 * The runs of one press of a button, `undefined` for A/B.
 *
 * @throws InputError of the target where the values contradict each other
 */
export const specsOf = (target: AnyTarget, variant: string | undefined, values: FormValues): StartedSpec[] =>
  withTarget(target, (kind, own) =>
    kind.specs(own, variant === undefined ? [baselineOf(target), values.compared] : [variant], values),
  );

/** The reader looks into the file and says what it is; until then the ending stands for it. */
export const traceFormatOf = (path: string): TraceChoice['format'] =>
  /\.csv(\.(gz|zst))?$/i.test(path) ? 'azure' : 'mooncake';

/** `bench` compares baseline and optimized unless told otherwise. */
function variantWords(target: AnyTarget, variant: string | undefined, { compared }: FormValues): string[] {
  if (variant !== undefined) return ['--variant', variant];
  const baseline = baselineOf(target);
  if (compared === baseline || (baseline === 'baseline' && compared === 'optimized')) return [];
  return ['--variant', `${baseline},${compared}`];
}

/** The command line that does the same, with what differs from the defaults. `variant` undefined: both, compared. */
export function commandLineOf(target: AnyTarget, variant: string | undefined, values: FormValues): string {
  const changed = target.parameters.filter(
    (parameter) =>
      isActive(parameter, values.parameters) && values.parameters[parameter.id] !== parameter.default,
  );
  const words = [
    'npm run -s dyno --',
    variant === undefined ? 'bench' : 'run',
    target.id,
    ...variantWords(target, variant, values),
    ...withTarget(target, (kind) => kind.words(values)),
    ...(values.trace === null ? [] : traceWords(values.trace).map(shellWord)),
    ...changed.flatMap((parameter) => [
      '--set',
      shellWord(`${parameter.id}=${values.parameters[parameter.id]}`),
    ]),
    // The command line's own defaults: seed 0, one replicate (or so many rounds of kernels).
    ...(values.seed === 0 ? [] : ['--seed', String(values.seed)]),
    ...(values.iterations === withTarget(target, ({ defaultIterations }) => defaultIterations)
      ? []
      : ['--iterations', String(values.iterations)]),
  ];
  return words.join(' ');
}
