import { describe, expect, it } from 'vitest';
import { formatMetric, formatRatio, metricParts, threeFigures } from './format.ts';
import { findMetric, metricLabel, metricOf, metrics } from './registry.ts';

describe('registry', () => {
  it('has each id once, in snake_case, with a definition', () => {
    expect(new Set(metrics.map((m) => m.id)).size).toBe(metrics.length);
    for (const metric of metrics) {
      expect(metric.id).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
      expect(metric.definition.length).toBeGreaterThan(5);
      expect(metric.format === 'percent').toBe(metric.unit === 'fraction');
      expect(metric.format === 'duration').toBe(metric.unit === 'ms');
    }
  });

  it('knows statistics behind a dot, and nothing else', () => {
    expect(findMetric('ttft_ms.p95')).toMatchObject({ metric: { id: 'ttft_ms' }, statistic: 'p95' });
    expect(findMetric('ttft_ms.p42')).toBeUndefined();
    expect(metricLabel('ttft_ms.p95')).toBe('TTFT p95');
    expect(() => metricOf('nonsense')).toThrow('nonsense');
  });
});

describe('format', () => {
  const text = (id: string, value: number, exact = false) =>
    formatMetric(id, value, exact).replace('\u202f', ' ');

  it.each([
    ['ttft_ms', 412.34, '412 ms'],
    ['ttft_ms.p95', 1234.5, '1.23 s'],
    ['ttft_ms', 999.6, '1.00 s'],
    ['ttft_ms', 0.0421, '42.1 µs'],
    ['ttft_ms', 0, '0 ms'],
    ['kv_used', 0.3664, '36.6 %'],
    ['memory_used_bytes', 141e9, '141 GB'],
    ['nvlink_rx_bytes_per_s', 4.5e11, '450 GB/s'],
    ['completed', 12031, '12,031'],
    ['output_tokens_per_s', 41237, '41,200 tok/s'],
    ['output_tokens_per_s', 4123700, '4.12 Mtok/s'],
    ['goodput_rps', 3.1, '3.10 req/s'],
    ['temperature_c', 61, '61.0 °C'],
    ['queue_depth', 2.5, '2.50'],
    ['ttft_ms', Number.NaN, '–'],
  ])('%s %d is %s', (id, value, expected) => {
    expect(text(id, value)).toBe(expected);
  });

  it('gives every digit on demand, in the metric’s own unit', () => {
    expect(text('ttft_ms', 1234.5678, true)).toBe('1,234.5678 ms');
    expect(metricParts('kv_used', 0.123456, true)).toEqual({ number: '0.123456', unit: '' });
  });

  it('writes three figures at every size', () => {
    expect([0.000123456, 0.0123, 0.999, 9.999, 99.96, 1234567, -12.34].map(threeFigures)).toEqual([
      '0.00012',
      '0.0123',
      '0.999',
      '10.0',
      '100',
      '1,230,000',
      '−12.3'.replace('−', '-'),
    ]);
    expect(formatRatio(0.6942)).toBe('0.694×');
  });
});
