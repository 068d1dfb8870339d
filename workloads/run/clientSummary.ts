import type { Distribution } from './summary.ts';

/** What the load generator itself was like while it measured servers: the error bar of the run's own figures. */
export interface ClientSummary {
  /** `native`: the addon; `javascript`: sockets of Node, for https and where the addon is missing. */
  readonly receiver: 'native' | 'javascript';
  /** Who stamped the bytes: the kernel as they arrived, or the clock after they were read. */
  readonly stamps: 'kernel' | 'clock';
  /** Why it isn't the native receiver with kernel stamps; absent where it is. */
  readonly receiver_reason?: string;
  /** Lateness against a stamped server on this machine at the planned rate, before the run; absent where it could not be measured. */
  readonly self_test?: {
    readonly streams: number;
    readonly events_per_s: number;
    /** p99 of the error of TTFT and of ITL. */
    readonly ttft_error_p99_ms: number;
    readonly itl_error_p99_ms: number;
  };
  /** Requests were routed at most so long before they were due, with the state of that moment. */
  readonly decision_lead_ms: number;
  /** Actual send − intended send. */
  readonly schedule_delay_ms?: Distribution;
  readonly connect_ms?: Distribution;
  /** From due to the response's head: no measure of the first token. */
  readonly headers_ms?: Distribution;
  /** First content or tool call, where reasoning comes before it. */
  readonly first_content_ms?: Distribution;
  /** Gaps between events as they came, whatever tokens they held; ITL divides them. */
  readonly inter_chunk_ms?: Distribution;
  /** The servers' own TTFT, and the client's minus it: network and client. Absent where no server tells. */
  readonly server_ttft_ms?: Distribution;
  readonly beyond_server_ms?: Distribution;
  /** Events less than 20 µs after the one before, of all events with tokens. */
  readonly coalesced_share?: number;
  readonly event_loop_delay_p99_ms?: number;
  readonly event_loop_utilisation?: number;
  readonly connection_retries: number;
  /** Tokens of requests that failed: in no throughput. */
  readonly failed_tokens: number;
  /** Requests whose answer was longer or shorter than asked for by more than 5 % and more than 50 tokens. */
  readonly length_mismatches: number;
  /** Prompts whose length by the server's usage differs from the traffic's by more than 5 % and more than 50 tokens. */
  readonly prompt_mismatches: number;
  /** By the first line of the reason. */
  readonly failures: Readonly<Record<string, number>>;
  readonly servers: readonly ServerSummary[];
  /** What to doubt about this run: a line about the client, one about the answers; empty: nothing. */
  readonly doubts: readonly string[];
}

export interface ServerSummary {
  readonly name: string;
  readonly url: string;
  readonly dialect?: string;
  /** How tokens per event were counted. */
  readonly token_rule: string;
  readonly prompts: 'token ids' | 'text';
  /** How the prefix cache was kept cold at the start of the run. */
  readonly cold_cache: string;
  /** Cached tokens of all prompts, 0..1; absent where the server does not report them. */
  readonly hit_rate?: number;
  /** Predicted against reported cached tokens: share of answers off by more than a block. */
  readonly misprediction_rate?: number;
  readonly prefix_source?: string;
}
