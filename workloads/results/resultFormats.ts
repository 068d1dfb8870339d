import { InputError } from '../run/inputError.ts';
import { AiperfRecords, readAiperfSummary } from './aiperf.ts';
import { readGuidellm } from './guidellm.ts';
import { readInferencePerfReport, readInferencePerfRequests } from './inferencePerf.ts';
import { isObject, type Json, membersOf } from './jsonValues.ts';
import type { MeasuredResult, ResultFormatId } from './measuredResult.ts';
import { readVllmBench } from './vllmBench.ts';

export interface ResultFormat {
  readonly id: ResultFormatId;
  readonly title: string;
  /** One object per line: a file of it may be longer than memory. */
  readonly lines: boolean;
  /** Judges by the keys of the first object of the file, or of the first entry of its list. */
  readonly matches: (first: Json, isList: boolean) => boolean;
}

const has = (value: Json, ...keys: readonly string[]): boolean => keys.every((key) => key in value);

/** Every result format, the more specific first. */
export const resultFormats: readonly ResultFormat[] = [
  {
    id: 'aiperf-records',
    title: 'AIPerf profile_export.jsonl',
    lines: true,
    matches: (first) =>
      has(first, 'metadata', 'metrics') && 'request_start_ns' in membersOf(first['metadata']),
  },
  {
    id: 'aiperf-summary',
    title: 'AIPerf profile_export_aiperf.json',
    lines: false,
    matches: (first) =>
      has(first, 'aiperf_version') ||
      (has(first, 'input_config') && 'unit' in membersOf(first['request_latency'])),
  },
  {
    id: 'guidellm',
    title: 'guidellm benchmarks.json',
    lines: false,
    matches: (first) => Array.isArray(first['benchmarks']),
  },
  {
    id: 'inference-perf-report',
    title: 'inference-perf lifecycle metrics',
    lines: false,
    matches: (first) => has(first, 'load_summary', 'successes'),
  },
  {
    id: 'inference-perf-requests',
    title: 'inference-perf per-request metrics',
    lines: false,
    matches: (first, isList) => isList && has(first, 'start_time', 'end_time', 'info'),
  },
  {
    id: 'sglang-bench',
    title: 'SGLang bench_serving',
    lines: true,
    matches: (first) =>
      has(first, 'total_input_tokens', 'request_throughput') &&
      ['total_output_tokens_retokenized', 'mean_e2e_latency_ms', 'sharegpt_output_len'].some(
        (k) => k in first,
      ),
  },
  {
    id: 'vllm-bench',
    title: 'vLLM bench serve',
    lines: true,
    matches: (first) =>
      has(first, 'total_input_tokens', 'request_throughput') ||
      (has(first, 'ttfts', 'itls') && has(first, 'input_lens')),
  },
];

/** The format of a file by its first JSON value; undefined: it is no result of a load generator. */
export function looksLikeResult(first: unknown): ResultFormat | undefined {
  const isList = Array.isArray(first);
  const object: unknown = isList ? first[0] : first;
  return isObject(object) ? resultFormats.find(({ matches }) => matches(object, isList)) : undefined;
}

/** Reads a whole JSON document. `aiperf-records` and results that are one per line come through `ResultLines`. */
export function readResult(file: string, value: unknown): MeasuredResult[] {
  const format = looksLikeResult(value);
  if (format === undefined) throw unknownResult(file);
  switch (format.id) {
    case 'vllm-bench':
    case 'sglang-bench':
      if (Array.isArray(value))
        return value.map((item: unknown) => readVllmBench(file, membersOf(item), format.id));
      return [readVllmBench(file, membersOf(value), format.id)];
    case 'aiperf-records': {
      const records = new AiperfRecords(file);
      const rows: readonly unknown[] = Array.isArray(value) ? value : [value];
      rows.forEach((row, i) => {
        records.row(row, i + 1);
      });
      return [records.result()];
    }
    case 'aiperf-summary':
      return [readAiperfSummary(file, membersOf(value))];
    case 'guidellm':
      return readGuidellm(file, membersOf(value));
    case 'inference-perf-report':
      return [readInferencePerfReport(file, membersOf(value))];
    case 'inference-perf-requests':
      return [readInferencePerfRequests(file, Array.isArray(value) ? value : [])];
    default: {
      const never: never = format.id;
      throw new RangeError(String(never));
    }
  }
}

export const unknownResult = (file: string): InputError =>
  new InputError(
    `${file}: no result of a load generator that is known here, expected one of ${resultFormats.map(({ title }) => title).join(', ')}`,
  );

/** Reads results line by line: each line of AIPerf is a request, each line of vLLM and SGLang a whole benchmark. */
export class ResultLines {
  private readonly file: string;
  private format: ResultFormat | undefined;
  private records: AiperfRecords | undefined;
  private readonly results: MeasuredResult[] = [];

  constructor(file: string) {
    this.file = file;
  }

  /** A line was taken. */
  get started(): boolean {
    return this.format !== undefined;
  }

  line(value: unknown, number: number): void {
    this.format ??= looksLikeResult(value);
    if (this.format === undefined) throw unknownResult(this.file);
    if (this.format.id === 'aiperf-records') {
      this.records ??= new AiperfRecords(this.file);
      this.records.row(value, number);
    } else if (isObject(value))
      this.results.push(
        ...readResult(this.file, value).map((result) => ({ ...result, part: `line ${number}` })),
      );
    else throw new InputError(`${this.file}:${number}: expected an object`);
  }

  /** `summary`: the parsed profile_export_aiperf.json beside an AIPerf file. */
  end(summary?: Json): MeasuredResult[] {
    if (this.records !== undefined) return [this.records.result(summary)];
    const [only] = this.results;
    if (only === undefined) throw unknownResult(this.file);
    if (this.results.length > 1) return this.results;
    const { part: _, ...whole } = only;
    return [whole];
  }
}
