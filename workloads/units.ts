/**
 * Units as types. They are aliases, so signatures read like physics; conversions live here and nowhere else.
 * Time is integer nanoseconds held in a double: exact up to 2^53 ns, that is 104 days of one run.
 */
export type Ns = number;
export type Ms = number;
export type Seconds = number;
export type Bytes = number;
export type Tokens = number;
export type Blocks = number;
export type Flop = number;
export type BytesPerSec = number;
export type FlopPerSec = number;
export type TokensPerSec = number;
export type RequestsPerSec = number;
/** 0..1 */
export type Fraction = number;

export const nsPerMs = 1e6;
export const nsPerSecond = 1e9;

export const nsToMs = (ns: Ns): Ms => ns / nsPerMs;
export const nsToSeconds = (ns: Ns): Seconds => ns / nsPerSecond;
export const msToNs = (ms: Ms): Ns => Math.round(ms * nsPerMs);
export const secondsToNs = (s: Seconds): Ns => Math.round(s * nsPerSecond);
