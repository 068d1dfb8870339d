import { threeFigures, withSeparators } from '../metrics/format.ts';
import type { Parameter, ParameterValue } from '../run/parameter.ts';

/** What a name is made of. */
export interface NamedRun {
  readonly target: string;
  readonly variant: string;
  readonly engine: string;
  /** Parameters by id, and `seed`, `iterations`, `trace`; absent where a manifest was not read. */
  readonly settings?: Readonly<Record<string, ParameterValue>> | undefined;
}

interface NamedTarget {
  readonly parameters: readonly Parameter[];
}

const mostDifferences = 3;

/**
 * Names that tell runs apart, in the order given: the variant (a named policy by its own choice, `SGLang cache-aware`), then the
 * settings in which it differs from the other runs of its target, `TP 2`. With three runs or more a setting is named where it
 * is not the usual one. Two runs that were set alike get the same name; lists add the time.
 */
export function runNames(
  runs: readonly NamedRun[],
  findTarget: (id: string) => NamedTarget | undefined,
): readonly string[] {
  const names = new Map<NamedRun, string>();
  for (const id of new Set(runs.map(({ target }) => target))) {
    const alike = runs.filter(({ target }) => target === id);
    const parameters = findTarget(id)?.parameters ?? [];
    const words = alike.map((run) => settingWords(run, parameters));
    const told = tellingKeys(words);
    for (const [index, run] of alike.entries()) {
      const own = [...(words[index] ?? [])].filter(([key, word]) => told.get(key)?.isTold(word) === true);
      const shown = own.slice(0, mostDifferences).map(([, word]) => word);
      const rest = own.length > mostDifferences ? [`+${own.length - mostDifferences}`] : [];
      names.set(run, [variantName(run, parameters), ...shown, ...rest].join(' · '));
    }
  }
  return runs.map((run) => names.get(run) ?? run.variant);
}

/** Names of two runs beside each other: never the same, `A · baseline` and `B · baseline` where nothing differs. */
export function pairNames(
  left: NamedRun,
  right: NamedRun,
  findTarget: (id: string) => NamedTarget | undefined,
): readonly [string, string] {
  const [a = left.variant, b = right.variant] = runNames([left, right], findTarget);
  return a === b && left !== right ? [`A · ${a}`, `B · ${b}`] : [a, b];
}

/** Variants that say by themselves what they are, whatever parameters they have. */
const named: ReadonlySet<string> = new Set(['baseline', 'optimized', 'as_published']);

/** A variant that is a choice of its own (`policy`) is called by what was chosen. */
export function variantName(run: NamedRun, parameters: readonly Parameter[]): string {
  if (run.variant === 'a_b') return 'A/B';
  if (named.has(run.variant)) return run.variant;
  const [own] = parameters.filter(
    (parameter) => parameter.kind === 'choice' && parameter.variants?.includes(run.variant) === true,
  );
  const value = own === undefined ? undefined : run.settings?.[own.id];
  return own?.kind !== 'choice' || value === undefined
    ? run.variant
    : (own.choices.find(({ id }) => id === value)?.label ?? String(value));
}

/** Every setting that this run reads, as words, by id. */
function settingWords(run: NamedRun, parameters: readonly Parameter[]): ReadonlyMap<string, string> {
  const { settings } = run;
  const words = new Map<string, string>();
  if (settings === undefined) return words;
  const named = variantName(run, parameters);
  for (const parameter of parameters) {
    const value = settings[parameter.id];
    if (value === undefined || !isRead(parameter, run)) continue;
    const text = wordOf(parameter, value);
    if (text !== named) words.set(parameter.id, text);
  }
  if (typeof settings['trace'] === 'string') words.set('trace', settings['trace']);
  else words.set('trace', 'generated traffic');
  if (run.engine !== 'sim') words.set('engine', run.engine);
  else words.set('engine', 'simulated');
  for (const id of ['seed', 'iterations'] as const) {
    const value = settings[id];
    if (value !== undefined) words.set(id, `${id === 'seed' ? 'seed' : 'replicates'} ${value}`);
  }
  return words;
}

function isRead({ when, variants }: Parameter, { settings, variant }: NamedRun): boolean {
  if (variants !== undefined && !variants.includes(variant)) return false;
  const value = when === undefined ? undefined : settings?.[when.parameter];
  return when === undefined || (value !== undefined && when.is.includes(value));
}

function wordOf(parameter: Parameter, value: ParameterValue): string {
  switch (parameter.kind) {
    case 'choice':
      return parameter.choices.find(({ id }) => id === value)?.label ?? String(value);
    case 'boolean':
      return `${parameter.label} ${value === true ? 'on' : 'off'}`;
    case 'text':
      return `${parameter.label} ${String(value) === '' ? 'none' : String(value)}`;
    case 'number':
    case 'integer': {
      const figure = Number.isInteger(value) ? withSeparators(String(value)) : threeFigures(Number(value));
      // The label of a count is its unit: `Requests 600`.
      const unit = parameter.unit.toLowerCase() === parameter.label.toLowerCase() ? '' : ` ${parameter.unit}`;
      return `${parameter.label} ${figure}${unit}`.trimEnd();
    }
    default:
      return parameter satisfies never;
  }
}

interface Telling {
  readonly isTold: (word: string) => boolean;
}

/** The settings that are not the same in all runs, and which of their values are worth saying. */
function tellingKeys(all: readonly ReadonlyMap<string, string>[]): ReadonlyMap<string, Telling> {
  const telling = new Map<string, Telling>();
  for (const key of new Set(all.flatMap((words) => [...words.keys()]))) {
    const counts = new Map<string, number>();
    for (const words of all) {
      const word = words.get(key);
      if (word !== undefined) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    if (counts.size < 2) continue;
    const [first, second] = [...counts].sort((a, b) => b[1] - a[1]);
    const usual = first !== undefined && second !== undefined && first[1] > second[1] ? first[0] : undefined;
    telling.set(key, { isTold: (word) => word !== usual });
  }
  return telling;
}
