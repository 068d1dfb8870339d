/** Time since the run's start, ms. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The ranges that the user went through, widest first; empty = the whole run. */
export type RangeStack = readonly TimeRange[];

const shortestMs = 1;

/** A brush of a few pixels or less is a click, not a range. */
export function pushRange(stack: RangeStack, a: number, b: number): RangeStack {
  const range = { fromMs: Math.max(0, Math.min(a, b)), toMs: Math.max(a, b) };
  return range.toMs - range.fromMs < shortestMs ? stack : [...stack, range];
}

export const popRange = (stack: RangeStack): RangeStack => stack.slice(0, -1);

/** Zooms about a time by a factor (< 1: closer); replaces the top, so that wheeling does not fill the breadcrumb. */
export function zoomRange(stack: RangeStack, whole: TimeRange, aboutMs: number, factor: number): RangeStack {
  const top = stack.at(-1) ?? whole;
  const fromMs = Math.max(whole.fromMs, aboutMs - (aboutMs - top.fromMs) * factor);
  const toMs = Math.min(whole.toMs, aboutMs + (top.toMs - aboutMs) * factor);
  if (toMs - fromMs < shortestMs) return stack;
  if (fromMs <= whole.fromMs && toMs >= whole.toMs) return [];
  return [...stack.slice(0, -1), { fromMs, toMs }];
}

const endSteps = [1, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2, 10];

/**
 * Right end of the time axis while a run goes on, ms: the next of twelve steps per decade. All charts share it from one step to
 * the next, whenever each of them was drawn; at most 22 % of the axis lies ahead of the data.
 */
export function steppedEnd(endMs: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1000, endMs)));
  const step = endSteps.find((each) => Math.round(each * power) >= endMs) ?? 10;
  return Math.round(step * power);
}

/** `1:02:03`, `02:03.4`: exact enough for the width of the range. */
export function clockText(timeMs: number, spanMs = 60_000): string {
  const sign = timeMs < 0 ? '−' : '';
  const total = Math.abs(timeMs) / 1000;
  const digits = spanMs < 2_000 ? 3 : spanMs < 20_000 ? 1 : 0;
  const rounded = Math.round(total * 10 ** digits) / 10 ** digits;
  const hours = Math.floor(rounded / 3600);
  const minutes = Math.floor((rounded % 3600) / 60);
  const seconds = (rounded % 60).toFixed(digits).padStart(digits === 0 ? 2 : 3 + digits, '0');
  const mm = String(minutes).padStart(2, '0');
  return hours > 0 ? `${sign}${hours}:${mm}:${seconds}` : `${sign}${mm}:${seconds}`;
}
