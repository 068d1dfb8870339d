/**
 * A series for the screen: at most one row per pixel bucket, and no spike hidden. Each row keeps the bucket's minimum,
 * maximum and last value; a gap in the data is a row of NaN, so that no line is drawn across it.
 *
 * Result rows are interleaved [t, last, min, max], t the time of the bucket's last sample; times and the range in one
 * unit, ascending. A gap is a sample whose value is NaN, or a pause longer than `gap`.
 */
export function decimate(
  times: ArrayLike<number>,
  values: ArrayLike<number>,
  options: { readonly width: number; readonly from?: number; readonly to?: number; readonly gap?: number },
): Float64Array {
  const n = Math.min(times.length, values.length);
  const from = options.from ?? times[0] ?? 0;
  const to = options.to ?? times[n - 1] ?? 0;
  const gap = options.gap ?? 8 * typicalSpacing(times, n);
  const width = Math.max(1, Math.floor(options.width));
  const perBucket = (to - from) / width;

  let start = lowerBound(times, n, from);
  // One sample on either side of the range, so that the line enters and leaves the picture.
  if (start > 0) start--;
  let end = lowerBound(times, n, to);
  while (end < n && (times[end] ?? 0) <= to) end++;
  if (end < n) end++;

  const rows: number[] = [];
  let bucket = Number.NaN;
  let previous = Number.NaN;
  let broken = false;
  for (let i = start; i < end; i++) {
    const time = times[i] ?? 0;
    const value = values[i] ?? Number.NaN;
    if (Number.isNaN(value)) {
      broken = rows.length > 0;
      continue;
    }
    if (broken || time - previous > gap) {
      rows.push(Math.min(time, Math.max(previous, from)), Number.NaN, Number.NaN, Number.NaN);
      bucket = Number.NaN;
      broken = false;
    }
    previous = time;
    // Samples outside the range are buckets of their own: -1 and `width`.
    const mine =
      time < from
        ? -1
        : time > to
          ? width
          : perBucket > 0
            ? Math.min(width - 1, Math.floor((time - from) / perBucket))
            : 0;
    const at = rows.length - 4;
    if (mine === bucket) {
      rows[at] = time;
      rows[at + 1] = value;
      if (value < (rows[at + 2] ?? value)) rows[at + 2] = value;
      if (value > (rows[at + 3] ?? value)) rows[at + 3] = value;
    } else {
      rows.push(time, value, value, value);
      bucket = mine;
    }
  }
  return Float64Array.from(rows);
}

/** Median distance of neighbouring samples, from at most 1,001 of them; Infinity for fewer than three samples. */
function typicalSpacing(times: ArrayLike<number>, n: number): number {
  if (n < 3) return Number.POSITIVE_INFINITY;
  const stride = Math.max(1, Math.floor((n - 1) / 1000));
  const gaps: number[] = [];
  for (let i = 1; i < n; i += stride) {
    const gap = (times[i] ?? 0) - (times[i - 1] ?? 0);
    if (gap > 0) gaps.push(gap);
  }
  if (gaps.length === 0) return Number.POSITIVE_INFINITY;
  gaps.sort((a, b) => a - b);
  return gaps[gaps.length >> 1] ?? Number.POSITIVE_INFINITY;
}

/** First index whose time is ≥ `time`. */
function lowerBound(times: ArrayLike<number>, n: number, time: number): number {
  let low = 0;
  let high = n;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
