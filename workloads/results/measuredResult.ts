import type { Ms, Tokens } from '../units.ts';

export type ResultFormatId =
  | 'vllm-bench'
  | 'sglang-bench'
  | 'aiperf-records'
  | 'aiperf-summary'
  | 'inference-perf-requests'
  | 'inference-perf-report'
  | 'guidellm';

/** One request of a measured run. Absent fields are those that the file does not know. */
export interface ResultRequest {
  /** `failed` also for cancelled ones: they are in no latency statistic. */
  readonly status: 'completed' | 'failed';
  /** Intended send, else the actual one, ms on the tool's own clock. */
  readonly arrivalMs?: Ms;
  /** From `arrivalMs`, or from the actual send where that is unknown. */
  readonly ttftMs?: Ms;
  readonly e2eMs?: Ms;
  /** (last − first token) / (n − 1). */
  readonly tpotMs?: Ms;
  /** Intended send to actual send. */
  readonly delayMs?: Ms;
  /** Gaps between chunks or tokens, in order. */
  readonly gapsMs?: readonly Ms[];
  readonly promptTokens?: Tokens;
  readonly outputTokens?: Tokens;
  readonly cachedTokens?: Tokens;
  readonly session?: string;
  readonly requestId?: string;
  readonly error?: string;
}

/** One benchmark of a result file. */
export interface MeasuredResult {
  readonly format: ResultFormatId;
  /** The tool, for people: `vLLM bench serve`. */
  readonly tool: string;
  readonly version?: string;
  readonly model?: string;
  /** Which benchmark of the file, where it holds several. */
  readonly part?: string;
  /** ISO 8601, where the file says when. */
  readonly started?: string;
  readonly durationS?: number;
  /** In order of arrival where that is known. Empty where the file has aggregates only. */
  readonly requests: readonly ResultRequest[];
  /** Aggregates as the tool wrote them, under its own names, in its own units. */
  readonly figures: Readonly<Record<string, number>>;
  /** How the tool was set up: rate, concurrency, data set. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** What the format cannot know, in words. */
  readonly unknown: readonly string[];
  /** What was left out or is odd, in words. */
  readonly remarks: readonly string[];
}
