import type { TimelineLane, TimelineSlice } from '../../../electron/contract/captures.ts';

/** The timeline's geometry: time to pixels and back, pan and zoom. Times are ns since the start of the recording. */
export interface Span {
  readonly fromNs: number;
  readonly toNs: number;
}

export const laneHeight = 18;
const leastSpanNs = 100;

/** Closer (factor < 1) or further, with the time under the pointer staying there. */
export function zoomed(span: Span, whole: Span, atNs: number, factor: number): Span {
  const length = Math.min(
    whole.toNs - whole.fromNs,
    Math.max(leastSpanNs, (span.toNs - span.fromNs) * factor),
  );
  const share = (atNs - span.fromNs) / (span.toNs - span.fromNs);
  return within({ fromNs: atNs - share * length, toNs: atNs + (1 - share) * length }, whole);
}

export const moved = (span: Span, whole: Span, byNs: number): Span =>
  within({ fromNs: span.fromNs + byNs, toNs: span.toNs + byNs }, whole);

function within(span: Span, whole: Span): Span {
  const length = span.toNs - span.fromNs;
  const fromNs = Math.min(Math.max(span.fromNs, whole.fromNs), Math.max(whole.fromNs, whole.toNs - length));
  return { fromNs, toNs: fromNs + length };
}

/** An event in the middle fifth of what is shown, with the same time left and right of it. */
export function around(
  { startNs, endNs }: { readonly startNs: number; readonly endNs: number },
  whole: Span,
): Span {
  const length = Math.min(whole.toNs - whole.fromNs, Math.max(leastSpanNs, (endNs - startNs) * 5));
  const middle = (startNs + endNs) / 2;
  return within({ fromNs: middle - length / 2, toNs: middle + length / 2 }, whole);
}

/** The time of an event stays in view: as it is where it is already there, else centred at the same zoom. */
export function showing(
  span: Span,
  event: { readonly startNs: number; readonly endNs: number },
  whole: Span,
): Span {
  const length = span.toNs - span.fromNs;
  const isLegible = event.endNs - event.startNs >= length / 200;
  if (isLegible && event.endNs - event.startNs <= length)
    return event.startNs >= span.fromNs && event.endNs <= span.toNs
      ? span
      : moved(span, whole, (event.startNs + event.endNs) / 2 - (span.fromNs + span.toNs) / 2);
  return around(event, whole);
}

export interface LaneBlock {
  readonly lane: number;
  readonly startNs: number;
  readonly endNs: number;
  /** '' where several names were joined. */
  readonly name: string;
  readonly events: number;
}

export function blocksOf({ blocks, names }: TimelineSlice): LaneBlock[] {
  const out: LaneBlock[] = [];
  for (let i = 0; i + 4 < blocks.length; i += 5)
    out.push({
      lane: blocks[i] ?? 0,
      startNs: blocks[i + 1] ?? 0,
      endNs: blocks[i + 2] ?? 0,
      name: names[blocks[i + 3] ?? -1] ?? '',
      events: blocks[i + 4] ?? 1,
    });
  return out;
}

/** The block under a place, or the nearest one on that lane within two pixels. */
export function blockAt(
  blocks: readonly LaneBlock[],
  lane: number,
  atNs: number,
  nsPerPixel: number,
): LaneBlock | undefined {
  const reach = 2 * nsPerPixel;
  return blocks.find(
    (block) => block.lane === lane && block.startNs - reach <= atNs && atNs <= block.endNs + reach,
  );
}

/** Colours by meaning, and a different shade for each name. */
export function laneToken(kind: TimelineLane['kind'], name: string): string {
  if (/prefill/i.test(name)) return '--prefill';
  if (/decode/i.test(name)) return '--decode';
  switch (kind) {
    case 'kernel':
      return kernelTokens[hash(name) % kernelTokens.length] ?? '--series-1';
    case 'copy':
      return '--series-4';
    case 'range':
      return rangeTokens[hash(name) % rangeTokens.length] ?? '--series-3';
    case 'api':
      return '--series-8';
    case 'os':
      return '--series-8';
    default:
      return kind satisfies never;
  }
}
const kernelTokens = ['--series-1', '--series-2', '--series-6'] as const;
const rangeTokens = ['--series-3', '--mixed', '--other-variant'] as const;

function hash(text: string): number {
  let value = 0;
  for (let i = 0; i < text.length; i += 1) value = (value * 31 + text.charCodeAt(i)) >>> 0;
  return value;
}

/** `thread 7 of 5 · NVTX 0` → `NVTX 0 · thread 7`: what it is first, where space is short. */
export const laneLabel = (label: string): string =>
  label.replace(/^thread (\d+) of \d+ · (.+)$/, '$2 · thread $1');

/** 1-2-5 ticks, about `count` of them. */
export function ticksOf({ fromNs, toNs }: Span, count: number): number[] {
  const rough = (toNs - fromNs) / count;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  const step = ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10) * power;
  const out: number[] = [];
  for (let at = Math.ceil(fromNs / step) * step; at <= toNs; at += step) out.push(at);
  return out;
}
