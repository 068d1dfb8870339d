import type { Ns } from '../units.ts';

/**
 * The event stream: columnar batches of the tables below. The runner emits them, the host stores them
 * (DuckDB while the run goes on, Parquet at the end) and forwards what a view asked for.
 *
 * | column type | in memory      | on disk | absent in memory | absent on disk |
 * |-------------|----------------|---------|------------------|----------------|
 * | float64     | Float64Array   | DOUBLE  | NaN              | NULL           |
 * | ns          | Float64Array   | BIGINT  | NaN              | NULL           |
 * | int32       | Int32Array     | INTEGER | absentInt32      | NULL           |
 * | bool        | Uint8Array     | BOOLEAN | 2                | NULL           |
 * | text        | string[]       | VARCHAR | ''               | NULL           |
 */
export type ColumnType = 'float64' | 'ns' | 'int32' | 'bool' | 'text';
export type ColumnData = Float64Array | Int32Array | Uint8Array | readonly string[];

/** The one value an int32 column never holds: it stands for "not known". */
export const absentInt32 = -2147483648;

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** `ms`, `tokens`, `blocks`, `fraction` …; empty for ids and names. */
  readonly unit: string;
  readonly meaning: string;
}

export interface TableSchema {
  readonly name: TableName;
  readonly columns: readonly Column[];
}

export type TableName =
  | 'requests'
  | 'iterations'
  | 'decisions'
  | 'kv'
  | 'samples'
  | 'events'
  | 'kernels'
  | 'spans'
  | 'log';

export interface Batch {
  readonly schema: TableSchema;
  readonly rows: number;
  /** Same order as `schema.columns`; each at least `rows` long. */
  readonly data: readonly ColumnData[];
}

const column = (name: string, type: ColumnType, unit: string, meaning: string): Column => ({
  name,
  type,
  unit,
  meaning,
});

/** One row per request, written when it ends (finished, rejected, or still unfinished when the run stops). */
export const requestsTable: TableSchema = {
  name: 'requests',
  columns: [
    column('iteration', 'int32', '', 'replicate of the run, from 0'),
    column('request', 'int32', '', 'index in the traffic, from 0, in order of arrival'),
    column('status', 'text', '', 'completed, rejected, failed (a server lost it), unfinished'),
    column('arrival_ns', 'ns', 'ns', 'intended arrival (t0), since the start of the run'),
    column('scheduled_ns', 'ns', 'ns', 'first scheduling on an instance'),
    column('first_token_ns', 'ns', 'ns', 'first output token (t1)'),
    column('finish_ns', 'ns', 'ns', 'last output token (tn)'),
    column('prompt_tokens', 'int32', 'tokens', 'prompt length'),
    column('output_tokens', 'int32', 'tokens', 'output length (n)'),
    column('cached_tokens', 'int32', 'tokens', 'prompt tokens found in the prefix cache'),
    column('prefill_instance', 'int32', '', 'instance that computed the prompt'),
    column('decode_instance', 'int32', '', 'instance that produced the last token'),
    column(
      'transfer_ns',
      'ns',
      'ns',
      'time between prefill end and the KV cache being usable elsewhere; absent without a transfer',
    ),
    column('migrations', 'int32', '', 'moves to another instance while decoding'),
    column('preemptions', 'int32', '', 'times that its KV blocks were taken for another request'),
    column('ttft_ms', 'float64', 'ms', 't1 - t0'),
    column('tpot_ms', 'float64', 'ms', '(tn - t1)/(n - 1); absent for n = 1'),
    column('e2e_ms', 'float64', 'ms', 'tn - t0'),
    column('queue_ms', 'float64', 'ms', 'first scheduling - t0'),
    column('good', 'bool', '', 'met every SLO given'),
  ],
};

/** Further columns of the requests table where the spec says how hard requests are. */
export const complexityColumns: readonly Column[] = [
  column('needs', 'text', '', 'smallest model that answers it well'),
  column('classified', 'text', '', 'smallest sufficient model according to the classifier'),
  column('model', 'text', '', 'model that answered; empty without an answer'),
];

/** Further columns of the requests table where the run has an admission policy. */
export const admissionColumns: readonly Column[] = [
  column('tier', 'text', '', 'service class'),
  column('attempts', 'int32', '', 'admission attempts: 1, plus one for each retry'),
  column('reason', 'text', '', 'reason of the last refusal; empty without one'),
  column('retry_after_ms', 'float64', 'ms', 'retry-after of the last refusal; absent without one'),
];

/** Further column of the requests table where a device computed the answers. */
export const answerColumns: readonly Column[] = [
  column(
    'answer_hash',
    'int32',
    '',
    'hash of the answer’s token ids: equal answers have equal hashes; absent until it is whole',
  ),
];

/** Further columns of the requests table where servers were measured; times since the start of the run. */
export const clientColumns: readonly Column[] = [
  column('due_ns', 'ns', 'ns', 'intended send'),
  column('started_ns', 'ns', 'ns', 'the sender turned to it; started - due is the schedule delay'),
  column('connected_ns', 'ns', 'ns', 'the TCP (and TLS) connection was there'),
  column('sent_ns', 'ns', 'ns', 'the request was in the kernel'),
  column('headers_ns', 'ns', 'ns', 'the head of the answer; no measure of the first token'),
  column('first_event_ns', 'ns', 'ns', 'first event of the stream, a role or an empty text too'),
  column('first_content_ns', 'ns', 'ns', 'first content or tool call; reasoning may come before it'),
  column('last_token_ns', 'ns', 'ns', 'last token that came, of failed requests too'),
  column('ended_ns', 'ns', 'ns', 'the answer was over'),
  column('http_status', 'int32', '', 'status of the answer; absent where none came'),
  column('reported_prompt_tokens', 'int32', 'tokens', "prompt length by the server's usage"),
  column('reported_output_tokens', 'int32', 'tokens', "output length by the server's usage"),
  column('events', 'int32', '', 'events with tokens'),
  column('connection_retries', 'int32', '', 'repeated because a kept connection had been closed'),
  column('server_queue_ms', 'float64', 'ms', 'queueing as the server measured it'),
  column('server_ttft_ms', 'float64', 'ms', 'first token as the server measured it'),
  column('server_generation_ms', 'float64', 'ms', 'first to last token as the server measured it'),
  column('retry_after_s', 'float64', 's', 'Retry-After of a rejection'),
  column('request_id', 'text', '', "the server's id of the request"),
  column('finish_reason', 'text', '', 'why the answer ended'),
  column('token_rule', 'text', '', 'how tokens per event were counted: ids, usage, timings or text'),
  column('failure', 'text', '', 'why it is no success; empty where it is'),
];

/** One row per run of like iterations of one instance (consecutive forward passes with the same batch composition). */
export const iterationsTable: TableSchema = {
  name: 'iterations',
  columns: [
    column('iteration', 'int32', '', 'replicate of the run'),
    column('instance', 'int32', '', 'instance index'),
    column('start_ns', 'ns', 'ns', 'start of the first pass'),
    column('end_ns', 'ns', 'ns', 'end of the last pass'),
    column('passes', 'int32', '', 'forward passes in this row'),
    column('prefill_tokens', 'int32', 'tokens', 'prompt tokens computed in all passes'),
    column('decode_sequences', 'int32', '', 'sequences that got one token in each pass'),
    column(
      'context_tokens',
      'float64',
      'tokens',
      'resident context of the decoding sequences at the first pass',
    ),
    column('kv_blocks', 'int32', 'blocks', 'KV blocks in use at the end'),
  ],
};

/** Router decisions, one row per candidate instance; the router adds one `term_<name>` column per score term. */
export const decisionsColumns: readonly Column[] = [
  column('iteration', 'int32', '', 'replicate of the run'),
  column('request', 'int32', '', 'request index'),
  column('time_ns', 'ns', 'ns', 'when the decision was taken'),
  column('stage', 'text', '', 'prefill, decode or migrate'),
  column('instance', 'int32', '', 'the candidate'),
  column('chosen', 'bool', '', 'whether it was chosen'),
  column('score', 'float64', '', 'total score, higher is better'),
];

export const decisionsTable = (
  terms: readonly { readonly id: string; readonly meaning: string }[],
): TableSchema => ({
  name: 'decisions',
  columns: [...decisionsColumns, ...terms.map((t) => column(`term_${t.id}`, 'float64', '', t.meaning))],
});

/** KV cache events: transfers between instances, evictions and preemptions, summed per sampling interval where frequent. */
export const kvTable: TableSchema = {
  name: 'kv',
  columns: [
    column('iteration', 'int32', '', 'replicate of the run'),
    column('time_ns', 'ns', 'ns', 'when'),
    column('kind', 'text', '', 'transfer, migrate, prefix, preempt, swap_out, swap_in, evict'),
    column('request', 'int32', '', 'request index; absent for evictions'),
    column('from_instance', 'int32', '', 'source'),
    column('to_instance', 'int32', '', 'destination'),
    column('blocks', 'int32', 'blocks', 'how many blocks'),
    column('bytes', 'float64', 'bytes', 'how many bytes'),
    column('duration_ns', 'ns', 'ns', 'how long it took'),
  ],
};

/** The same with tiers below HBM: `fetch` is all that one request waits for, `promote` and `demote` are single transfers. */
export const tieredKvTable: TableSchema = {
  name: 'kv',
  columns: [
    ...kvTable.columns.map((c) =>
      c.name === 'kind'
        ? column(
            'kind',
            'text',
            '',
            'transfer, migrate, prefix, preempt, swap_out, swap_in, evict, fetch, promote, demote, drop',
          )
        : c,
    ),
    column('tier', 'text', '', 'peer, host or disk: the tier that blocks come from, go to or are dropped by'),
  ],
};

/**
 * Everything that is a number over time, measured or modelled. Live charts draw these rows and nothing else.
 * `source`: `cluster`, `pool:<name>`, `instance:<index>`, `gpu:<index>`, `host`, `event:<kind>` (a mark at that time).
 * `metric`: an id of the metric registry, with a `.p50`-like suffix for a percentile of its sliding window.
 */
export const samplesTable: TableSchema = {
  name: 'samples',
  columns: [
    column('iteration', 'int32', '', 'replicate of the run'),
    column('time_ns', 'ns', 'ns', 'when, since the start of the run'),
    column('source', 'text', '', 'what was sampled'),
    column('metric', 'text', '', 'metric id'),
    column('value', 'float64', '', 'value in the unit of the metric'),
  ],
};

/** What happened to the cluster while it served: crashes, recoveries, drains, scaling, and the requests that they touched. */
export const eventsTable: TableSchema = {
  name: 'events',
  columns: [
    column('iteration', 'int32', '', 'replicate of the run'),
    column('time_ns', 'ns', 'ns', 'when, since the start of the run'),
    column(
      'kind',
      'text',
      '',
      'crash, detected, recover, serving, slow, link, drain, role, resume, off, scale_up, scale_down, lost, bounce',
    ),
    column('instance', 'int32', '', 'instance index; absent where it concerns all'),
    column('pool', 'text', '', 'pool of the instance'),
    column('request', 'int32', '', 'request index, of lost and bounce'),
    column(
      'value',
      'float64',
      '',
      'factor of slow and link, seconds of a start-up, tokens of KV cache lost in a crash',
    ),
    column('detail', 'text', '', 'what happened, in words'),
  ],
};

export const logTable: TableSchema = {
  name: 'log',
  columns: [
    column('time_ns', 'ns', 'ns', 'when'),
    column('level', 'text', '', 'info, warning or error'),
    column('message', 'text', '', 'what happened'),
  ],
};

/** Where an engine puts what happens. Batches are handed over: the engine does not touch their arrays again. */
export interface EventSink {
  /** The tables that it reads; absent: all. The others are then not made, which is most of a short run's time. */
  readonly wants?: readonly TableName[];
  batch(batch: Batch): void;
  /** Done and total in the engine's own unit of work (requests); the clock is the run's. */
  progress(done: number, total: number, clock: Ns): void;
  log(level: 'info' | 'warning' | 'error', message: string): void;
}
