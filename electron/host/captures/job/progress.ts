/** Reads the tools' progress from their output. */
export type ToolProgress =
  | { readonly phase: 'recording' }
  /** ncu: the n-th profiled launch, how far its passes are (0..1), and how many there were once it is done. */
  | {
      readonly phase: 'profiling';
      readonly kernel: string;
      readonly launch: number;
      readonly done: number;
      readonly passes?: number;
    }
  | { readonly phase: 'processing'; readonly done?: number }
  | { readonly phase: 'report'; readonly path: string };

/**
 * One line of output (a carriage return ends a line too: progress bars rewrite theirs).
 *
 *     ==PROF== Profiling "saxpy" - 1: 0%....50%....100% - 17 passes         ncu 2020–2022 and, with ` (1/20)`, later
 *     ==PROF== Profiling "saxpy" - 0 (3/40): 0%....50%
 *     Generating '/tmp/nsys-report-aaaa.qdstrm'    [1/8] [====50%     ] tl.nsys-rep     Exporting 278 events: [==8%
 */
export function parseProgress(line: string): ToolProgress | undefined {
  const profiling = /^==PROF== Profiling "(.*?)"(?: - (\d+))?(?: \((\d+)\/\d+\))?:(.*)$/.exec(line);
  if (profiling !== null) {
    const [, kernel = '', id, nth, rest = ''] = profiling;
    const percent = [...rest.matchAll(/(\d+)%/g)].at(-1)?.[1];
    const passes = /- (\d+) pass(?:es)?/.exec(rest)?.[1];
    return {
      phase: 'profiling',
      kernel,
      launch: Number(nth ?? id ?? 0),
      done: passes === undefined ? Number(percent ?? 0) / 100 : 1,
      ...(passes === undefined ? {} : { passes: Number(passes) }),
    };
  }
  const report = /^==PROF== Report: (.+)$/.exec(line) ?? /^\s*(\/.+\.nsys-rep)\s*$/.exec(line);
  if (report?.[1] !== undefined) return { phase: 'report', path: report[1].trim() };
  if (/^(Collecting data|==PROF== Connected)/.test(line)) return { phase: 'recording' };
  const bar = /^(?:\[\d+\/\d+\] |Exporting \d+ events: |Processing )?\[?[=\s]*(\d+)%/.exec(line);
  if (/^(Generating|Processing|Importing|Exporting|\[\d+\/\d+\])/.test(line)) {
    return { phase: 'processing', ...(bar?.[1] === undefined ? {} : { done: Number(bar[1]) / 100 }) };
  }
  return undefined;
}

/**
 * Splits what a pipe delivers into lines. ncu writes the dots of a line over seconds, so the unfinished line is handed
 * out too, each time it grows. A line that never ends is cut.
 */
export class LineSplitter {
  private rest = '';

  push(chunk: string, line: (text: string, finished: boolean) => void): void {
    const parts = (this.rest + chunk).split(/\r\n|\n|\r/);
    this.rest = (parts.pop() ?? '').slice(-10_000);
    for (const part of parts) line(part, true);
    if (this.rest !== '') line(this.rest, false);
  }

  end(line: (text: string, finished: boolean) => void): void {
    if (this.rest !== '') line(this.rest, true);
    this.rest = '';
  }
}
