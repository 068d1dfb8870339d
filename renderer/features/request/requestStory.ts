import { formatMetric, threeFigures } from '../../../workloads/metrics/format.ts';

/** A row of the requests table, by column; absent values are null. */
export type RequestRow = ReadonlyMap<string, number | string | boolean | null>;

/** Passes of one instance with one batch: a row of the iterations table. Times in ms since the start of the run. */
export interface Passes {
  readonly instance: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly passes: number;
  readonly prefillTokens: number;
  readonly decodeSequences: number;
}

export interface Stage {
  readonly id: 'queue' | 'prefill' | 'transfer' | 'decode';
  readonly label: string;
  readonly token: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Story {
  readonly stages: readonly Stage[];
  /** Gaps between its tokens by the passes of the instance that decoded it: when, and how long, ms. */
  readonly gaps: readonly { readonly atMs: number; readonly gapMs: number }[];
  /** What shared the batch with it in each stage, in words. */
  readonly neighbours: readonly string[];
  /** One sentence: which stage made it slow, against the median of its run. */
  readonly cause: string;
}

/** Medians of the run, ms. */
export interface Usual {
  readonly queue_ms?: number | undefined;
  readonly ttft_ms?: number | undefined;
  readonly tpot_ms?: number | undefined;
}

/** What one request's row and the passes around it tell of its time. Every figure is of this run: nothing is modelled anew. */
export function requestStory(row: RequestRow, passes: readonly Passes[], usual: Usual): Story {
  const stages = stagesOf(row);
  const gaps = gapsOf(row, passes);
  return {
    stages,
    gaps,
    neighbours: stages.flatMap((stage) => neighboursIn(stage, row, passes)),
    cause: causeOf(row, stages, gaps, usual),
  };
}

const ms = (row: RequestRow, column: string): number | undefined => {
  const value = row.get(column);
  return typeof value === 'number' && Number.isFinite(value) ? value / 1e6 : undefined;
};
const number = (row: RequestRow, column: string): number | undefined => {
  const value = row.get(column);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
};

/** `arrival → scheduled → first token → (transfer) → last token`; a stage that did not begin is absent. */
function stagesOf(row: RequestRow): readonly Stage[] {
  const [arrival, scheduled, first, finish] = [
    'arrival_ns',
    'scheduled_ns',
    'first_token_ns',
    'finish_ns',
  ].map((column) => ms(row, column));
  const transfer = ms(row, 'transfer_ns') ?? 0;
  const stages: Stage[] = [];
  const add = (id: Stage['id'], label: string, token: string, from?: number, to?: number) => {
    if (from !== undefined && to !== undefined && to > from)
      stages.push({ id, label, token, fromMs: from, toMs: to });
  };
  add('queue', 'Queue', '--text-3', arrival, scheduled);
  add('prefill', 'Prefill', '--prefill', scheduled, first);
  const decodeFrom = first === undefined ? undefined : first + transfer;
  if (transfer > 0) add('transfer', 'KV transfer', '--mixed', first, decodeFrom);
  add('decode', 'Decode', '--decode', decodeFrom, finish);
  return stages;
}

/** One gap per pass of its decode instance between its first and its last token. */
function gapsOf(row: RequestRow, passes: readonly Passes[]): Story['gaps'] {
  const [first, finish] = [ms(row, 'first_token_ns'), ms(row, 'finish_ns')];
  const instance = number(row, 'decode_instance');
  if (first === undefined || finish === undefined) return [];
  const gaps: { atMs: number; gapMs: number }[] = [];
  let last = first;
  for (const each of passes) {
    if (each.instance !== instance || each.decodeSequences === 0) continue;
    const length = (each.toMs - each.fromMs) / Math.max(1, each.passes);
    for (let pass = 1; pass <= each.passes; pass += 1) {
      const end = each.fromMs + pass * length;
      // 1 µs of slack: rows are in ns, sums of them are not.
      if (end <= last + 1e-3 || end > finish + 1e-3) continue;
      gaps.push({ atMs: end, gapMs: end - last });
      last = end;
    }
  }
  return gaps;
}

function neighboursIn(stage: Stage, row: RequestRow, passes: readonly Passes[]): readonly string[] {
  if (stage.id !== 'prefill' && stage.id !== 'decode') return [];
  const instance = number(row, stage.id === 'prefill' ? 'prefill_instance' : 'decode_instance');
  const shared = passes.filter(
    (each) => each.instance === instance && each.toMs > stage.fromMs && each.fromMs < stage.toMs,
  );
  if (shared.length === 0) return [];
  const count = shared.reduce((sum, each) => sum + each.passes, 0);
  const sequences = shared.reduce((sum, each) => sum + each.decodeSequences * each.passes, 0) / count;
  const prompts = shared.reduce((sum, each) => sum + each.prefillTokens, 0);
  const own =
    stage.id === 'prefill' ? (number(row, 'prompt_tokens') ?? 0) - (number(row, 'cached_tokens') ?? 0) : 0;
  const others = Math.max(0, prompts - own);
  return [
    `${stage.label}: ${count} ${count === 1 ? 'pass' : 'passes'} with ${figures(sequences)} decoding sequences on average` +
      `${others > 0 ? ` and ${threeFigures(others)} prompt tokens of other requests` : ''}.`,
  ];
}

function causeOf(row: RequestRow, stages: readonly Stage[], gaps: Story['gaps'], usual: Usual): string {
  const status = row.get('status');
  if (status === 'rejected') return 'It was rejected: no instance computed it.';
  const longest = stages.toSorted((a, b) => b.toMs - b.fromMs - (a.toMs - a.fromMs))[0];
  const [begin, end] = [stages[0]?.fromMs, stages.at(-1)?.toMs];
  if (longest === undefined || begin === undefined || end === undefined) return 'It was never scheduled.';
  const length = longest.toMs - longest.fromMs;
  const share = `${Math.round((length / (end - begin)) * 100)} % of its time`;
  const took = `${formatMetric('e2e_ms', length)}, ${share}`;
  switch (longest.id) {
    case 'queue':
      return `It waited in the queue for ${took}${against(length, usual.queue_ms)}.`;
    case 'prefill': {
      const prompt = number(row, 'prompt_tokens');
      const cached = number(row, 'cached_tokens') ?? 0;
      return `Its prompt took ${took}: ${threeFigures((prompt ?? 0) - cached)} of ${threeFigures(prompt ?? 0)} prompt tokens were not in the cache.`;
    }
    case 'transfer':
      return `Its KV cache was on the way to the decode instance for ${took}.`;
    case 'decode': {
      const preemptions = number(row, 'preemptions') ?? 0;
      const stall = Math.max(0, ...gaps.map(({ gapMs }) => gapMs));
      const tpot = number(row, 'tpot_ms');
      const slow =
        tpot === undefined
          ? ''
          : ` at ${formatMetric('tpot_ms', tpot)} per token${against(tpot, usual.tpot_ms)}`;
      const stalled = stall > 0 ? `; its longest gap was ${formatMetric('e2e_ms', stall)}` : '';
      const taken =
        preemptions > 0 ? `; it was preempted ${preemptions} ${preemptions === 1 ? 'time' : 'times'}` : '';
      return `It decoded for ${took}: ${threeFigures(number(row, 'output_tokens') ?? 0)} tokens${slow}${stalled}${taken}.`;
    }
    default:
      return longest.id satisfies never;
  }
}

const against = (value: number, median: number | undefined): string =>
  median === undefined || median <= 0 ? '' : ` (${threeFigures(value / median)} × the median of the run)`;

/** A mean of counts: whole where it is whole. */
const figures = (value: number): string => (Number.isInteger(value) ? String(value) : threeFigures(value));
