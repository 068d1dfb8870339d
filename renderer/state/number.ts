import { absentText, threeFigures } from '../../workloads/metrics/format.ts';

/** Spans, dates, changes and sizes as people read them; values of metrics are written by `workloads/metrics/format.ts`. */
const thin = '\u202f';

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Memory and files, by 1024. */
export function bytes(value: number): string {
  let rest = value;
  let step = 0;
  while (Math.abs(rest) >= 1024 && step < binary.length - 1) {
    rest /= 1024;
    step += 1;
  }
  return `${step === 0 ? String(rest) : threeFigures(rest)}${thin}${binary[step]}`;
}

/** A span of wall time: `380 ms`, `4.2 s`, `02:10`, `1:02:03`. */
export function span(ms: number): string {
  if (!Number.isFinite(ms)) return absentText;
  if (ms < 1000) return `${Math.round(ms)}${thin}ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)}${thin}s`;
  if (ms < 60_000) return `${Math.round(ms / 1000)}${thin}s`;
  const seconds = Math.round(ms / 1000);
  const mm = String(Math.floor((seconds % 3600) / 60)).padStart(2, '0');
  const ss = String(seconds % 60).padStart(2, '0');
  return seconds >= 3600 ? `${Math.floor(seconds / 3600)}:${mm}:${ss}` : `${mm}:${ss}`;
}

/** `−31.0 %`, `+4.20 %` of a ratio. */
export function change(ratio: number): string {
  if (!Number.isFinite(ratio)) return absentText;
  const percent = (ratio - 1) * 100;
  return `${percent < 0 ? '−' : '+'}${threeFigures(Math.abs(percent))}${thin}%`;
}

/** A ratio; near 1 with as many digits as tell it from 1: `0.567`, `1.0046`. */
export function ratioFigures(ratio: number): string {
  if (!Number.isFinite(ratio)) return absentText;
  return Math.abs(ratio - 1) < 0.1 ? ratio.toFixed(4) : threeFigures(ratio);
}

/** When a run was started: today's by time, others by date. */
export function when(iso: string, now = new Date()): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const time = date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  if (date.toDateString() === now.toDateString()) return `today ${time}`;
  const day = date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  return date.getFullYear() === now.getFullYear() ? `${day} ${time}` : `${day} ${date.getFullYear()}`;
}
