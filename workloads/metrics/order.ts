const digitBits = 16;
const digits = 1 << digitBits;
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Indices of the values in ascending order, equal values in order of index: a radix sort over the doubles' own bits,
 * four digits of 16 bits, ten times as fast as sorting indices with a comparison. No NaN.
 *
 * Read as an integer, a positive double orders like its value; negative ones order backwards, so their bits are all
 * flipped, and of the others only the sign.
 */
export function ascendingOrder(values: Float64Array): Uint32Array {
  const n = values.length;
  // + 0 turns −0 into 0: they are equal, so they must have equal bits.
  const bits = new Uint32Array(values.map((value) => value + 0).buffer);
  let from = { low: new Uint32Array(n), high: new Uint32Array(n), index: new Uint32Array(n) };
  let to = { low: new Uint32Array(n), high: new Uint32Array(n), index: new Uint32Array(n) };
  const highWord = littleEndian ? 1 : 0;
  for (let i = 0; i < n; i++) {
    const high = bits[2 * i + highWord] ?? 0;
    const low = bits[2 * i + 1 - highWord] ?? 0;
    const negative = high >>> 31 === 1;
    from.high[i] = negative ? ~high : high ^ 0x80000000;
    from.low[i] = negative ? ~low : low;
    from.index[i] = i;
  }
  // Each pass orders by one more digit and keeps the order of those before: keys travel with their index.
  const starts = new Uint32Array(digits + 1);
  for (let pass = 0; pass < 4; pass++) {
    const key = pass < 2 ? from.low : from.high;
    const shift = (pass & 1) * digitBits;
    starts.fill(0);
    for (let i = 0; i < n; i++) {
      const digit = ((key[i] ?? 0) >>> shift) & (digits - 1);
      starts[digit + 1] = (starts[digit + 1] ?? 0) + 1;
    }
    for (let d = 0; d < digits; d++) starts[d + 1] = (starts[d + 1] ?? 0) + (starts[d] ?? 0);
    for (let i = 0; i < n; i++) {
      const digit = ((key[i] ?? 0) >>> shift) & (digits - 1);
      const place = starts[digit] ?? 0;
      starts[digit] = place + 1;
      to.low[place] = from.low[i] ?? 0;
      to.high[place] = from.high[i] ?? 0;
      to.index[place] = from.index[i] ?? 0;
    }
    [from, to] = [to, from];
  }
  return from.index;
}

/** values[order[0]], values[order[1]], … A plain loop: `Float64Array.from` goes through an iterator, ten times as slow. */
export function gather(values: ArrayLike<number>, order: Uint32Array): Float64Array {
  const gathered = new Float64Array(order.length);
  for (let i = 0; i < order.length; i++) gathered[i] = values[order[i] ?? 0] ?? Number.NaN;
  return gathered;
}
