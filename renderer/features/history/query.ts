import type { RunInfo } from '../../../electron/contract/protocol.ts';
import { matchesQuery } from './filter.ts';

/** What a query asks of a run. */
export interface Query {
  readonly matches: (run: RunInfo) => boolean;
  /** Why a part of it means nothing; that part is passed over. */
  readonly problem: string | undefined;
}

type Value = string | number | boolean | undefined;

/** Figures and facts that a query may name beside the settings. Times in ms, rates per second. */
const fields: Readonly<Record<string, (run: RunInfo) => Value | readonly string[]>> = {
  run: (run) => run.run,
  target: (run) => run.target,
  variant: (run) => run.variant,
  engine: (run) => run.engine,
  status: (run) => run.status,
  tag: (run) => run.tags,
  note: (run) => run.note,
  ttft_p50: (run) => run.headline.ttft_p50_ms,
  ttft_p95: (run) => run.headline.ttft_p95_ms,
  tpot_p50: (run) => run.headline.tpot_p50_ms,
  goodput: (run) => run.headline.goodput_rps,
  rejected: (run) => run.headline.rejected,
  requests: (run) => run.requests,
  wall_s: (run) => run.wall_s,
  bytes: (run) => run.bytes,
  started: (run) => run.started,
};

const condition = /^([a-z_][\w.]*)(<=|>=|!=|=|<|>|~)(.+)$/i;

/**
 * `gpu=h100 router=sglang tp=2 ttft_p95<500`: every condition holds, and every other word occurs somewhere. A text is found in
 * part and whatever its case; a number is compared as one, `1.5s` is 1,500 (ms) and `4k` 4,000.
 */
export function parseQuery(text: string, settings: ReadonlySet<string>): Query {
  const tests: ((run: RunInfo) => boolean)[] = [];
  const problems: string[] = [];
  for (const word of text.match(/(?:[^\s"]+|"[^"]*")+/g) ?? []) {
    const plain = word.replaceAll('"', '');
    const [, key = '', operator = '', wanted = ''] = condition.exec(plain) ?? [];
    if (key === '') {
      tests.push((run) => matchesQuery(run, plain));
      continue;
    }
    const field = fields[key];
    if (field === undefined && !settings.has(key)) {
      problems.push(`no run has "${key}"${nearest(key, [...Object.keys(fields), ...settings])}`);
      continue;
    }
    const isOrder = operator.startsWith('<') || operator.startsWith('>');
    if (isOrder && Number.isNaN(numberOf(wanted)) && key !== 'started') {
      problems.push(`${key}${operator}${wanted}: expected a number after ${operator}`);
      continue;
    }
    const read = field ?? ((run: RunInfo) => run.settings?.[key]);
    tests.push((run) => holds(read(run), operator, wanted));
  }
  return { matches: (run) => tests.every((test) => test(run)), problem: problems[0] };
}

function holds(value: Value | readonly string[], operator: string, wanted: string): boolean {
  if (typeof value === 'object') {
    const has = value.some((each) => holds(each, '=', wanted));
    return operator === '!=' ? !has : has;
  }
  if (value === undefined) return operator === '!=';
  const number = numberOf(wanted);
  switch (operator) {
    case '!=':
      return !holds(value, '=', wanted);
    case '<':
      return typeof value === 'number' ? value < number : String(value) < wanted;
    case '<=':
      return typeof value === 'number' ? value <= number : String(value) <= wanted;
    case '>':
      return typeof value === 'number' ? value > number : String(value) > wanted;
    case '>=':
      return typeof value === 'number' ? value >= number : String(value) >= wanted;
    default:
      return typeof value === 'number' && !Number.isNaN(number)
        ? value === number
        : folded(String(value)).includes(folded(wanted));
  }
}

/** `llm-d`, `llm_d` and `LLM D` are one word. */
const folded = (text: string): string => text.toLowerCase().replace(/[\s_-]+/g, '');

const factors: Readonly<Record<string, number>> = { '': 1, ms: 1, s: 1000, k: 1000, M: 1e6 };

function numberOf(text: string): number {
  const [, digits = '', unit = ''] = /^(-?\d+(?:\.\d+)?)(ms|s|k|M)?$/.exec(text) ?? [];
  return digits === '' ? Number.NaN : Number(digits) * (factors[unit] ?? 1);
}

function nearest(key: string, known: readonly string[]): string {
  const found = known.filter((name) => name.includes(key) || key.includes(name)).slice(0, 3);
  return found.length === 0
    ? '; try gpu, model, router, tp, seed, ttft_p95, tag'
    : `; did you mean ${found.join(', ')}?`;
}

/** Names of all settings that any of these runs has. */
export function settingNames(runs: readonly RunInfo[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { settings } of runs) for (const name of Object.keys(settings ?? {})) names.add(name);
  return names;
}

/** Settings that are not the same in all of these runs: those that are worth a column, the rarest values last. */
export function tellingSettings(runs: readonly RunInfo[], most: number): readonly string[] {
  const values = new Map<string, Set<string>>();
  for (const { settings } of runs)
    for (const [name, value] of Object.entries(settings ?? {})) {
      const known = values.get(name);
      if (known === undefined) values.set(name, new Set([String(value)]));
      else if (known.size < 100) known.add(String(value));
    }
  const first = ['gpu', 'model', 'router', 'tp', 'pools', 'requests', 'rate_rps', 'trace', 'seed'];
  const place = (name: string) => (first.includes(name) ? first.indexOf(name) : first.length);
  return [...values]
    .filter(([, known]) => known.size > 1)
    .map(([name]) => name)
    .sort((a, b) => place(a) - place(b) || a.localeCompare(b))
    .filter(unlikeBefore(runs))
    .slice(0, most);
}

/** Leaves out a setting that follows another one value for value: `instances` beside `pools`. */
function unlikeBefore(runs: readonly RunInfo[]): (name: string) => boolean {
  const seen = new Set<string>();
  return (name) => {
    const places = new Map<string, number>();
    const pattern = runs
      .map(({ settings }) => {
        const value = String(settings?.[name]);
        const place = places.get(value) ?? places.size;
        places.set(value, place);
        return place;
      })
      .join();
    if (seen.has(pattern)) return false;
    seen.add(pattern);
    return true;
  };
}
