import type { TimeUnit } from '../../run/timeUnits.ts';

/** The columns that a reader looks for, whatever their names in the file. */
export type Field =
  | 'time'
  | 'statedUnit'
  | 'prompt'
  | 'output'
  | 'ids'
  | 'session'
  | 'chat'
  | 'parent'
  | 'delay'
  | 'text'
  | 'answer'
  | 'blockTokens'
  | 'priority';

/**
 * One request as its file gives it, before any unit is applied. Readers fill one row over and over. Absent numbers are NaN,
 * absent counts -1, absent strings undefined.
 */
export class TraceRow {
  /** The line or element in the file, from 1. */
  line = 0;
  time = Number.NaN;
  /** The unit that the column's name gives (`arrival_time_ns`). */
  timeUnit: TimeUnit | undefined;
  /** The unit that a `time_unit` of the row says. */
  statedUnit: TimeUnit | undefined;
  /** Digits of a time that a double does not hold exactly. */
  timeDigits: string | undefined;
  /** A date and time of day, as whole seconds and nanoseconds. */
  isDate = false;
  nanosecond = 0;
  prompt = Number.NaN;
  output = Number.NaN;
  /** What the file calls its columns, for messages; the names of Mooncake's format before one was seen. */
  timeName = 'timestamp';
  promptName = 'input_length';
  outputName = 'output_length';
  /** Characters of the prompt's text, of the answer's; for traces without token counts. */
  promptChars = -1;
  answerChars = -1;
  idCount = -1;
  /** Safe integers as numbers; longer ones, and strings, as text. */
  ids: (number | string)[] = [];
  session: string | undefined;
  chat: string | undefined;
  parent: string | undefined;
  delay = Number.NaN;
  delayUnit: TimeUnit | undefined;
  blockTokens = Number.NaN;
  priority = Number.NaN;
  /** True where the row says by its place in a session that it follows the row before. */
  follows = false;
  /** A record that is not a request (an event of another kind in a log of events). */
  isOther = false;

  begin(line: number): void {
    this.line = line;
    this.time = Number.NaN;
    this.timeUnit = undefined;
    this.statedUnit = undefined;
    this.timeDigits = undefined;
    this.isDate = false;
    this.nanosecond = 0;
    this.prompt = Number.NaN;
    this.output = Number.NaN;
    this.promptChars = -1;
    this.answerChars = -1;
    this.idCount = -1;
    this.session = undefined;
    this.chat = undefined;
    this.parent = undefined;
    this.delay = Number.NaN;
    this.delayUnit = undefined;
    this.blockTokens = Number.NaN;
    this.priority = Number.NaN;
    this.follows = false;
    this.isOther = false;
  }
}

/** Handles a row; the row is reused afterwards. False stops the reading. */
export type TraceRowHandler = (row: TraceRow) => boolean;

interface Column {
  readonly field: Field;
  readonly unit?: TimeUnit;
}

/** Names of columns and keys in published traces, with what they hold and the unit that the name promises. */
const columns: Readonly<Record<string, Column>> = {
  timestamp: { field: 'time' },
  arrival_time: { field: 'time', unit: 's' },
  arrival_time_ns: { field: 'time', unit: 'ns' },
  arrival_time_us: { field: 'time', unit: 'us' },
  arrival_time_ms: { field: 'time', unit: 'ms' },
  arrival_time_s: { field: 'time', unit: 's' },
  arrived_at: { field: 'time', unit: 's' },
  arrival_timestamp: { field: 'time', unit: 's' },
  timestamp_s: { field: 'time', unit: 's' },
  timestamp_ms: { field: 'time', unit: 'ms' },
  timestamp_us: { field: 'time', unit: 'us' },
  timestamp_ns: { field: 'time', unit: 'ns' },
  request_received_ms: { field: 'time', unit: 'ms' },
  time_unit: { field: 'statedUnit' },
  input_length: { field: 'prompt' },
  isl: { field: 'prompt' },
  prompt_length: { field: 'prompt' },
  input_token_count: { field: 'prompt' },
  prompt_token_count: { field: 'prompt' },
  num_prompt_tokens: { field: 'prompt' },
  num_input_tokens: { field: 'prompt' },
  prefill_tokens: { field: 'prompt' },
  input_toks: { field: 'prompt' },
  input_len: { field: 'prompt' },
  input_tokens: { field: 'prompt' },
  prompt_tokens: { field: 'prompt' },
  prompt_len: { field: 'prompt' },
  prompt_size: { field: 'prompt' },
  num_prefill_tokens: { field: 'prompt' },
  context_tokens: { field: 'prompt' },
  request_tokens: { field: 'prompt' },
  output_length: { field: 'output' },
  osl: { field: 'output' },
  response_length: { field: 'output' },
  output_token_count: { field: 'output' },
  completion_token_count: { field: 'output' },
  num_output_tokens: { field: 'output' },
  num_completion_tokens: { field: 'output' },
  num_generated_tokens: { field: 'output' },
  decode_tokens: { field: 'output' },
  output_toks: { field: 'output' },
  output_len: { field: 'output' },
  output_tokens: { field: 'output' },
  completion_tokens: { field: 'output' },
  token_size: { field: 'output' },
  num_decode_tokens: { field: 'output' },
  generated_tokens: { field: 'output' },
  response_tokens: { field: 'output' },
  hash_ids: { field: 'ids' },
  input_sequence_hashes: { field: 'ids' },
  session_id: { field: 'session' },
  conversation_id: { field: 'session' },
  chat_id: { field: 'chat' },
  parent_chat_id: { field: 'parent' },
  delay: { field: 'delay', unit: 'ms' },
  delay_ms: { field: 'delay', unit: 'ms' },
  tool_duration_ns: { field: 'delay', unit: 'ns' },
  text_input: { field: 'text' },
  messages: { field: 'text' },
  prompt: { field: 'text' },
  trace_block_size: { field: 'blockTokens' },
  priority: { field: 'priority' },
};

const plain = (name: string): string =>
  name
    .trim()
    .replace(/^["']+|["']+$/g, '')
    .toLowerCase()
    .replace(/[\s_-]+/g, '');

const byPlainName = new Map(Object.entries(columns).map(([name, column]) => [plain(name), column]));

/** `Request tokens`, `"RequestTokens "` and `request_tokens` name one column. */
export const columnNamed = (name: string): Column | undefined => byPlainName.get(plain(name));

/** Every name as a JSON file may spell it: `input_tokens`, `inputTokens`, `InputTokens`, `inputtokens`. */
export const jsonKeys: readonly (readonly [string, Column])[] = Object.entries(columns).flatMap(
  ([name, column]) => {
    const camel = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    const pascal = camel.charAt(0).toUpperCase() + camel.slice(1);
    return [...new Set([name, camel, pascal, plain(name)])].map((spelt) => [spelt, column] as const);
  },
);
