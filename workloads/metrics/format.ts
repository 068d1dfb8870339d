import { findMetric, type MetricFormat, type MetricUnit } from './registry.ts';

/** A number and its unit apart, for views that set them in different sizes. */
export interface FormattedValue {
  readonly number: string;
  /** '' where the number needs none. */
  readonly unit: string;
}

/** What is written where a value is absent. */
export const absentText = '–';
const narrowSpace = '\u202f';

/** 1234567 -> 1,234,567. Not toLocaleString: its result depends on the machine's language. */
export function withSeparators(digits: string): string {
  const minus = digits.startsWith('-') ? '-' : '';
  const [whole = '', rest] = digits.slice(minus.length).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return minus + grouped + (rest === undefined ? '' : `.${rest}`);
}

/** Three significant figures without an exponent: 0.0123, 1.23, 12.3, 123, 12,300. */
export function threeFigures(value: number): string {
  if (value === 0) return '0';
  const rounded = Number(value.toPrecision(3));
  const size = Math.abs(rounded);
  if (size >= 100) return withSeparators(rounded.toFixed(0));
  if (size >= 10) return rounded.toFixed(1);
  if (size >= 1) return rounded.toFixed(2);
  if (size >= 0.1) return rounded.toFixed(3);
  if (size >= 0.01) return rounded.toFixed(4);
  return size >= 1e-6 ? rounded.toFixed(5).replace(/0+$/, '') : rounded.toExponential(2);
}

/** Every digit that the double holds. */
const exactFigures = (value: number): string => {
  const text = String(value);
  return text.includes('e') ? text : withSeparators(text);
};

interface Scale {
  readonly from: number;
  readonly divisor: number;
  readonly unit: string;
}

const durationScales: readonly Scale[] = [
  { from: 1000, divisor: 1000, unit: 's' },
  { from: 1, divisor: 1, unit: 'ms' },
  { from: 1e-3, divisor: 1e-3, unit: 'µs' },
  { from: 0, divisor: 1e-6, unit: 'ns' },
];
const decimalPrefixes: readonly Scale[] = [
  { from: 1e15, divisor: 1e15, unit: 'P' },
  { from: 1e12, divisor: 1e12, unit: 'T' },
  { from: 1e9, divisor: 1e9, unit: 'G' },
  { from: 1e6, divisor: 1e6, unit: 'M' },
  { from: 1e3, divisor: 1e3, unit: 'k' },
  { from: 0, divisor: 1, unit: '' },
];

/** The scale whose rounded number stays below the next one: 999.6 ms is 1.00 s, not 1,000 ms. */
function scaleFor(scales: readonly Scale[], value: number): Scale {
  const rounded = Math.abs(Number(value.toPrecision(3)));
  const scale = scales.find((s) => rounded >= s.from) ?? scales.at(-1);
  return scale ?? { from: 0, divisor: 1, unit: '' };
}

const unitText: Readonly<Record<MetricUnit, string>> = {
  ms: 'ms',
  s: 's',
  'requests/s': 'req/s',
  'tokens/s': 'tok/s',
  requests: '',
  tokens: 'tok',
  blocks: 'blocks',
  count: '',
  fraction: '',
  bytes: 'B',
  'bytes/s': 'B/s',
  'FLOP/s': 'FLOP/s',
  W: 'W',
  J: 'J',
  '°C': '°C',
  MHz: 'MHz',
  USD: 'USD',
  kWh: 'kWh',
  'GPU-hours': 'GPU-h',
  'requests/GPU-hour': 'req/GPU-h',
};

function scaledValue(value: number, format: MetricFormat, unit: MetricUnit): FormattedValue {
  switch (format) {
    case 'duration': {
      const ms = unit === 's' ? value * 1000 : value;
      if (ms === 0) return { number: '0', unit: 'ms' };
      const scale = scaleFor(durationScales, ms);
      return { number: threeFigures(ms / scale.divisor), unit: scale.unit };
    }
    case 'percent':
      return { number: threeFigures(value * 100), unit: '%' };
    case 'bytes': {
      const scale = scaleFor(decimalPrefixes, value);
      return { number: threeFigures(value / scale.divisor), unit: scale.unit + unitText[unit] };
    }
    case 'count':
      return {
        number: Number.isInteger(value) ? withSeparators(String(value)) : threeFigures(value),
        unit: unitText[unit],
      };
    case 'rate':
    case 'quantity': {
      // Clocks and watts read badly with a prefix; rates of a million and more read badly without.
      if (Math.abs(value) < 1e6) return { number: threeFigures(value), unit: unitText[unit] };
      const scale = scaleFor(decimalPrefixes, value);
      return { number: threeFigures(value / scale.divisor), unit: `${scale.unit}${unitText[unit]}` };
    }
    default: {
      const never: never = format;
      return never;
    }
  }
}

/** Number and unit of a metric's value, three significant figures; `exact` gives all digits in the metric's own unit. */
export function metricParts(id: string, value: number, exact = false): FormattedValue {
  if (!Number.isFinite(value)) return { number: absentText, unit: '' };
  const metric = findMetric(id)?.metric;
  if (metric === undefined) return { number: exact ? exactFigures(value) : threeFigures(value), unit: '' };
  if (!exact) return scaledValue(value, metric.format, metric.unit);
  return { number: exactFigures(value), unit: unitText[metric.unit] };
}

/** `412 ms`, `1.23 s`, `36.6 %`, `141 GB`, `12,031`; `–` where absent. */
export function formatMetric(id: string, value: number, exact = false): string {
  const { number, unit } = metricParts(id, value, exact);
  return unit === '' ? number : `${number}${narrowSpace}${unit}`;
}

/** A ratio optimized/baseline: `0.694×`. */
export const formatRatio = (ratio: number): string =>
  Number.isFinite(ratio) ? `${threeFigures(ratio)}×` : absentText;
