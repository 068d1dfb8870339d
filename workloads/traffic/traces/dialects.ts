import type { TimeUnit } from '../../run/timeUnits.ts';
import { columnNamed } from './traceRow.ts';

/** How the records of a trace file lie in it. */
export type TraceShape = 'lines' | 'array' | 'csv';

export const traceFormats = [
  'mooncake',
  'aiperf',
  'bailian',
  'dynamo',
  'llmservingsim',
  'vllm',
  'sharegpt',
  'azure',
  'burstgpt',
  'vidur',
  'splitwise',
  'json',
  'csv',
] as const;
export type TraceFormat = (typeof traceFormats)[number];

export interface Dialect {
  readonly id: TraceFormat;
  /** What it is, for people. */
  readonly label: string;
  /** The unit of times whose column does not name one. */
  readonly unit: TimeUnit;
  /** True where other tools write the same keys with times in another unit: the values are looked at. */
  readonly unitVaries: boolean;
  /** Tokens of one block of its prefix ids; 0 where it has none. */
  readonly blockTokens: number;
  /** Whether the prompt of a later turn holds the whole conversation; `values`: the values tell. */
  readonly turns: 'whole' | 'values';
  /** Whether the names of columns or keys are this dialect's. */
  readonly claims: (names: ReadonlySet<string>, isCsv: boolean) => boolean;
}

const has = (names: ReadonlySet<string>, ...all: readonly string[]): boolean =>
  all.every((name) => names.has(name));
const any = (names: ReadonlySet<string>, ...some: readonly string[]): boolean =>
  some.some((name) => names.has(name));

/** The most specific ones first: the first that claims a file reads it. */
export const dialects: readonly Dialect[] = [
  {
    id: 'dynamo',
    label: 'Dynamo request trace',
    unit: 'ms',
    unitVaries: false,
    blockTokens: 64,
    turns: 'whole',
    claims: (names, isCsv) => !isCsv && any(names, 'request_received_ms', 'input_sequence_hashes'),
  },
  {
    id: 'sharegpt',
    label: 'file of ShareGPT conversations',
    unit: 's',
    unitVaries: false,
    blockTokens: 0,
    turns: 'whole',
    claims: (names, isCsv) => !isCsv && names.has('conversations'),
  },
  {
    id: 'llmservingsim',
    label: 'LLMServingSim dataset',
    unit: 'ns',
    unitVaries: false,
    blockTokens: 0,
    turns: 'whole',
    claims: (names) =>
      (names.has('input_toks') && !names.has('queued_ts')) || any(names, 'sub_requests', 'arrival_time_ns'),
  },
  {
    id: 'vllm',
    label: 'log of requests that a vLLM served, with its times',
    unit: 's',
    unitVaries: false,
    blockTokens: 0,
    turns: 'whole',
    claims: (names) => has(names, 'input_toks', 'queued_ts'),
  },
  {
    id: 'bailian',
    label: 'Qwen-Bailian trace',
    unit: 's',
    unitVaries: false,
    blockTokens: 16,
    turns: 'whole',
    claims: (names, isCsv) => !isCsv && any(names, 'chat_id', 'parent_chat_id'),
  },
  {
    id: 'aiperf',
    label: 'AIPerf trace with sessions (Mooncake form)',
    unit: 'ms',
    unitVaries: true,
    blockTokens: 512,
    turns: 'values',
    claims: (names, isCsv) =>
      !isCsv && any(names, 'session_id', 'delay', 'text_input', 'messages', 'conversation_id'),
  },
  {
    id: 'mooncake',
    label: 'Mooncake trace',
    unit: 'ms',
    unitVaries: true,
    blockTokens: 512,
    turns: 'values',
    claims: (names, isCsv) => !isCsv && any(names, 'input_length', 'hash_ids'),
  },
  {
    id: 'azure',
    label: 'Azure LLM inference trace',
    unit: 's',
    unitVaries: false,
    blockTokens: 0,
    turns: 'whole',
    claims: (names, isCsv) => isCsv && any(names, 'contexttokens', 'context_tokens'),
  },
  {
    id: 'burstgpt',
    label: 'BurstGPT trace',
    unit: 's',
    unitVaries: false,
    blockTokens: 0,
    turns: 'values',
    claims: (names, isCsv) => isCsv && names.has('request_tokens'),
  },
  {
    id: 'vidur',
    label: 'Vidur trace',
    unit: 's',
    unitVaries: false,
    blockTokens: 0,
    turns: 'whole',
    claims: (names) => has(names, 'num_prefill_tokens', 'num_decode_tokens'),
  },
  {
    id: 'splitwise',
    label: 'splitwise-sim trace',
    unit: 's',
    unitVaries: false,
    blockTokens: 0,
    turns: 'whole',
    claims: (names, isCsv) => isCsv && has(names, 'prompt_size', 'token_size'),
  },
  {
    id: 'csv',
    label: 'table of requests (CSV)',
    unit: 's',
    unitVaries: true,
    blockTokens: 0,
    turns: 'values',
    claims: (_, isCsv) => isCsv,
  },
  {
    id: 'json',
    label: 'list of requests in JSON',
    unit: 's',
    unitVaries: true,
    blockTokens: 512,
    turns: 'values',
    claims: (names) => [...names].some((name) => columnNamed(name)?.field === 'prompt'),
  },
];

export const isTraceFormat = (text: string): text is TraceFormat =>
  traceFormats.some((format) => format === text);
