import type { Command } from 'commander';
import { catalog, findTarget } from '../../workloads/catalog/catalog.ts';
import { enginesOf, whyNot } from '../../workloads/catalog/enginesOf.ts';
import { placedOn } from '../../workloads/catalog/placement.ts';
import { findPublished, publishedNames } from '../../workloads/catalog/publishedNames.ts';
import type { Target } from '../../workloads/catalog/target.ts';
import { parseValue } from '../../workloads/catalog/values.ts';
import { declareModels } from '../../workloads/model/models.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import type { ParameterValue } from '../../workloads/run/parameter.ts';
import {
  type DetailSpec,
  detailSpec,
  type EngineId,
  type RunSpec,
  runSpec,
  type SloSpec,
  type TrafficSpec,
} from '../../workloads/run/spec.ts';
import type { Pace } from '../contract/protocol.ts';
import { looksLikePath, modelNamed } from '../shared/modelFile.ts';
import { readJson } from '../shared/openFile.ts';
import { didYouMean } from './closest.ts';
import { collect, integer, maxSeed, number, oneOf, positive } from './options.ts';
import { addPlacementOptions, type PlacementOptions, placementOf } from './placementOptions.ts';
import {
  addTraceOptions,
  type TraceOptions,
  traceHelp,
  traceOptionGiven,
  traceSpec,
} from './traceOptions.ts';

/** What `run`, `bench` and their like take to make a run spec. */
export interface SpecOptions extends PlacementOptions, TraceOptions {
  readonly engine: EngineId;
  readonly variant?: string;
  readonly trace?: string;
  readonly set?: readonly string[];
  readonly seed: number;
  readonly iterations?: number;
  readonly slo?: string;
  readonly detail?: string;
  readonly spec?: string;
  readonly pace: Pace;
  readonly warmUp?: number | 'auto';
  readonly measure?: number;
}

/** `interval: 'none'` for a command whose own --from and --to mean something else. */
export function addSpecOptions(
  command: Command,
  variantHelp: string,
  interval: 'from-to' | 'none' = 'from-to',
): Command {
  addPlacementOptions(command)
    .option('--engine <engine>', 'sim, cuda or http', oneOf('sim', 'cuda', 'http'), 'sim')
    .option('--variant <name>', variantHelp)
    .option('--trace <file>', `${traceHelp}, in place of generated traffic`)
    .option('--set <name=value>', 'a parameter of the target; repeatable (see `dyno list TARGET`)', collect)
    .option(
      '--model <name|file|folder>',
      'the model: one of `dyno models`, a Hugging Face config.json, or a folder with one',
    )
    .option('--seed <n>', 'seed of everything random', integer(0, maxSeed), 0)
    .option(
      '--iterations <n>',
      'replicates, each with seeds of its own (default: what the target needs, mostly 1)',
      integer(1, 10_000),
    )
    .option(
      '--warm-up <s>',
      'seconds that are not measured, or auto (MSER-5: found from the run)',
      parseWarmUp,
    )
    .option(
      '--measure <s>',
      'seconds that are measured after the warm-up (default: to the last arrival)',
      positive('seconds'),
    )
    .option('--slo <limits>', 'e.g. ttft=350,tpot=45 (ms); what goodput counts')
    .option('--limit <n>', 'only the first n requests of the trace', integer(1, 1_000_000_000))
    .option('--speedup <factor>', 'the trace in less time: 2 halves every gap', positive(''))
    .option('--detail <what>', 'all, none, or e.g. requests=all,decisions=100,iterations=none')
    .option('--spec <file>', 'run this saved spec (or manifest.json) as it is')
    .option('--pace <pace>', 'max, or simulated seconds per second', parsePace, 'max' as Pace);
  return addTraceOptions(command, interval);
}

function parseWarmUp(text: string): number | 'auto' {
  return text === 'auto' ? 'auto' : number(0, 1e7)(text);
}

function parsePace(text: string): Pace {
  return text === 'max' ? 'max' : positive('simulated seconds per second')(text);
}

export function targetNamed(id: string): Target {
  const found = findTarget(id);
  if (found !== undefined) return found;
  const ids = [...catalog, ...publishedNames].map((named) => named.id);
  const short = ids.filter((known) => known.endsWith(`:${id}`));
  const [only] = short;
  if (short.length === 1 && only !== undefined) return findTarget(only) ?? targetNamed(only);
  throw new InputError(
    `no target "${id}"${didYouMean(id, [...ids, ...ids.map((known) => known.split(':')[1] ?? known)])} (\`dyno list\` shows all)`,
  );
}

/** The published name that a person gave, with or without its chapter. */
const publishedAs = (id: string) =>
  findPublished(id) ?? publishedNames.find((name) => name.id.endsWith(`:${id}`));

function checkVariant(target: Target, variant: string): void {
  const ids = target.variants.map(({ id }) => id);
  if (!ids.includes(variant))
    throw new InputError(`${target.id} has no variant "${variant}", expected one of ${ids.join(', ')}`);
}

function checkEngine(target: Target, engine: EngineId): void {
  const reason = whyNot(target, engine);
  if (reason === undefined) return;
  throw new InputError(
    `${target.id} does not run on engine ${engine}: ${reason}; expected ${enginesOf(target).join(' or ')}`,
  );
}

export function parametersOf(
  target: Pick<Target, 'id' | 'parameters'>,
  settings: readonly string[],
): Record<string, ParameterValue> {
  const values: Record<string, ParameterValue> = {};
  for (const setting of settings) {
    const at = setting.indexOf('=');
    if (at <= 0) throw new InputError(`--set ${setting}: expected name=value`);
    const name = setting.slice(0, at);
    const parameter = target.parameters.find(({ id }) => id === name);
    if (parameter === undefined) {
      const names = target.parameters.map(({ id }) => id);
      throw new InputError(`--set ${name}: ${target.id} has no such parameter${didYouMean(name, names)}`);
    }
    const text = setting.slice(at + 1);
    const isModel = parameter.kind === 'choice' && parameter.models === true;
    values[name] =
      isModel && looksLikePath(text)
        ? modelNamed(text, `--set ${name}`, () => '').id
        : parseValue(parameter, text);
  }
  return values;
}

/** The target's parameter that names its model, as `--model` gives it. */
function modelParameter(
  target: Pick<Target, 'id' | 'parameters'>,
  name: string,
  engine: EngineId,
): Record<string, ParameterValue> {
  const parameter = target.parameters.find((one) => one.kind === 'choice' && one.models === true);
  if (parameter === undefined) {
    // Engine cuda serves any model; the placement names it.
    if (engine === 'cuda') return {};
    throw new InputError(`--model ${name}: ${target.id} has no model to choose`);
  }
  const shape = modelNamed(name, '--model', (ids) => didYouMean(name, ids));
  return { [parameter.id]: parseValue(parameter, shape.id) };
}

const sloNames = ['ttft', 'tpot', 'e2e'] as const;

export function sloOf(text: string): SloSpec {
  const slo: Partial<Record<keyof SloSpec, number>> = {};
  for (const part of text.split(',')) {
    const [name, value, ...rest] = part.split('=').map((word) => word.trim());
    const known = sloNames.find((candidate) => candidate === name?.replace(/_ms$/, ''));
    const ms = Number(value);
    if (known === undefined || rest.length > 0 || value === undefined || !(ms > 0) || !Number.isFinite(ms))
      throw new InputError(`--slo ${text}: "${part}", expected ttft=MS, tpot=MS or e2e=MS, joined by commas`);
    slo[`${known}_ms`] = ms;
  }
  return slo;
}

function detailOf(text: string): DetailSpec {
  if (text === 'all') return { requests: 'all', decisions: 'all', iterations: 'all' };
  if (text === 'none') return { requests: 'all', decisions: 'none', iterations: 'none' };
  const given: Record<string, string | number> = {};
  for (const part of text.split(',')) {
    const [name = '', value = ''] = part.split('=');
    given[name.trim()] = /^\d+$/.test(value) ? Number(value) : value.trim();
  }
  const parsed = detailSpec.strict().safeParse(given);
  if (!parsed.success)
    throw new InputError(
      `--detail ${text}: expected all, none, or requests=all|none,decisions=all|none|N,iterations=all|none,token_gaps=all|none`,
    );
  return parsed.data;
}

/** A saved spec, or the spec inside a manifest. */
export function readSpecFile(path: string): RunSpec {
  const document = readJson(path, 'a run spec (JSON)');
  const inner =
    typeof document === 'object' && document !== null && 'spec' in document ? document.spec : document;
  const parsed = runSpec.safeParse(inner);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = issue === undefined || issue.path.length === 0 ? 'it' : issue.path.join('.');
    throw new InputError(`${path}: ${where}: ${issue?.message ?? 'malformed'}, expected a run spec`);
  }
  declareModels(parsed.data);
  return parsed.data;
}

/** One spec per variant, alike in everything else. */
export function specsOf(
  targetId: string | undefined,
  options: SpecOptions,
  defaultVariants: readonly string[],
  note?: (line: string) => void,
): RunSpec[] {
  if (options.spec !== undefined) {
    if (targetId !== undefined)
      throw new InputError(`--spec ${options.spec} names its own target: leave "${targetId}" away`);
    return [readSpecFile(options.spec)];
  }
  if (targetId === undefined)
    throw new InputError('no target given, expected one of `dyno list`, or --spec FILE');
  const target = targetNamed(targetId);
  checkEngine(target, options.engine);
  const published = publishedAs(targetId);
  const variants = options.variant?.split(',').map((word) => word.trim()) ?? [
    ...(published?.variants === undefined
      ? defaultVariants
      : published.variants.slice(-defaultVariants.length)),
  ];
  for (const variant of variants) checkVariant(target, variant);
  const slo = options.slo === undefined ? {} : sloOf(options.slo);
  const parameters = {
    ...published?.parameters,
    ...sloParameters(target, slo),
    ...(options.model === undefined ? {} : modelParameter(target, options.model, options.engine)),
    ...parametersOf(target, options.set ?? []),
  };
  const lonely = options.trace === undefined ? traceOptionGiven(options) : undefined;
  if (lonely !== undefined)
    throw new InputError(
      `${lonely} needs --trace FILE; for generated traffic set the number of requests with --set`,
    );
  const traffic = options.trace === undefined ? undefined : traceSpec(options.trace, options, note);
  const placement = placementOf(options.engine, options);
  return variants.map((variant) => {
    const simulated = target.spec({
      variant,
      engine: 'sim',
      parameters,
      ...(traffic === undefined ? {} : { traffic }),
      seed: options.seed,
      iterations: options.iterations ?? target.replicates ?? 1,
    });
    const made = placedOn(simulated, placement);
    return {
      ...made,
      traffic: traffic === undefined ? spedUp(made.traffic, options.speedup) : made.traffic,
      slo: { ...made.slo, ...slo },
      ...(options.detail === undefined ? {} : { detail: detailOf(options.detail) }),
      ...measurementOf(options),
    };
  });
}

function measurementOf({ warmUp, measure }: SpecOptions): Pick<RunSpec, 'measurement'> {
  if (warmUp === undefined && measure === undefined) return {};
  return {
    measurement: { warm_up: warmUp ?? 'auto', ...(measure === undefined ? {} : { measure_s: measure }) },
  };
}

/** Limits given by --slo go into the target's own parameters too, where it has them in their range. */
function sloParameters(target: Target, slo: SloSpec): Record<string, ParameterValue> {
  const values: Record<string, ParameterValue> = {};
  for (const name of sloNames) {
    const limit = slo[`${name}_ms`];
    if (limit === undefined) continue;
    for (const parameter of target.parameters) {
      if (parameter.group !== 'slo' || !parameter.id.endsWith(`slo_${name}_ms`)) continue;
      if (parameter.kind === 'number' && limit >= parameter.min && limit <= parameter.max)
        values[parameter.id] = limit;
    }
  }
  return values;
}

function spedUp(traffic: TrafficSpec, speedup: number | undefined): TrafficSpec {
  if (speedup === undefined) return traffic;
  if (traffic.kind === 'synthetic' || traffic.kind === 'trace') return { ...traffic, speedup };
  throw new InputError('--speedup works on traces and on the built-in hour; set the rate with --set instead');
}
