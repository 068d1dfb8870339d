import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findMetric } from '../../../workloads/metrics/registry.ts';
import type { Summary } from '../../../workloads/run/summary.ts';
import type { SeriesResult } from '../../contract/protocol.ts';
import { linearTicks, logScale, logTicks } from './charts/axes.ts';
import { ratioGlyph, ratioSpan } from './charts/ratioGlyph.ts';
import { stretches } from './charts/series.ts';
import { htmlReport } from './htmlReport.ts';
import { madeUpComparison, madeUpReport, madeUpRun, madeUpSingle } from './madeUpReport.ts';
import { flattened, pathIn } from './manifest.ts';
import { html, printable } from './markup.ts';
import { type ReportInput, type ReportRun, reportSeries } from './reportInput.ts';

const body = (page: string): string => page.slice(page.indexOf('<body>'));
/** The visible text: no tags, no drawings. */
const words = (page: string): string =>
  body(page)
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');
const few = { requests: 400 };

describe('an A/B report', () => {
  const page = htmlReport(madeUpReport(few));
  const text = words(page);

  test('says the verdict before any figure, then the sections in their order', () => {
    const order = [
      'Dynamic prefill/decode router: baseline against optimized',
      'simulated',
      'TTFT p95 is 31 % lower',
      'Baseline against optimized',
      'Latency distributions',
      'Over time',
      'Balance over the instances',
      'Requests and service',
      'Verification',
      'Differences of the specs',
      'Where this comes from',
      'Again, from the command line',
      'What the metrics mean',
    ];
    const places = order.map((heading) => text.indexOf(heading));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  test('gives each ratio a direction, a word and its interval', () => {
    expect(text).toContain('0.691× 0.648 – 0.731');
    expect(text).toContain('▼ lower, better');
    expect(text).toContain('▲ higher, worse');
    expect(text).toContain('▲ higher, better');
    expect(text).toContain('no evidence');
    expect(text).toContain('Paired circular block bootstrap');
  });

  test('defines every metric that it marks, and marks none twice with different numbers', () => {
    const marked = [...page.matchAll(/href="#(metric-[a-z0-9_]+)">(\d+)</g)];
    expect(marked.length).toBeGreaterThan(10);
    const numbers = new Map<string, string>();
    for (const [, id = '', number = ''] of marked) {
      expect(page.includes(`<li id="${id}">`), id).toBe(true);
      expect(numbers.get(id) ?? number).toBe(number);
      numbers.set(id, number);
      expect(text).toContain(findMetric(id.slice('metric-'.length))?.metric.definition);
    }
  });

  test('accounts for every request, and says where a sum does not hold', () => {
    expect(text).toContain('✓ all');
    const input = madeUpReport(few);
    const [first] = input.runs;
    const broken = withSummary(first, {
      requests: { ...first.summary.requests, admitted: 390, rejected: 7 },
    });
    expect(words(htmlReport({ ...input, runs: [broken] }))).toContain('✗ off by 3');
  });

  test('carries the specs, the differences and the commands', () => {
    expect(text).toContain('policy.router round_robin telemetry_score');
    expect(page.includes('&quot;router&quot;: &quot;round_robin&quot;')).toBe(true);
    expect(text).toContain('dyno -- bench labs/dynamic_router');
    expect(text).toContain('versions.git 702c14f');
  });

  test('is the same file for the same input', () => {
    expect(htmlReport(madeUpReport(few)) === page).toBe(true);
  });
});

describe('a report fetches nothing and runs nothing', () => {
  const hostile = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\u0007';
  const run = (r: ReportRun): ReportRun => ({
    ...r,
    info: { ...r.info, variant: hostile, target: hostile, run: hostile },
    manifest: {
      spec: { slo: {}, cluster: { model: hostile } },
      versions: { [hostile]: hostile },
      list: [hostile],
    },
    command: hostile,
    summary: {
      ...r.summary,
      target: hostile,
      traffic: { ...r.summary.traffic, name: hostile },
      per_instance: r.summary.per_instance.map((i) => ({ ...i, name: hostile })),
    },
    series: r.series.map((s) => (s.source === 'pool:prefill' ? { ...s, source: `pool:${hostile}` } : s)),
  });
  const input: ReportInput = {
    title: hostile,
    made: hostile,
    version: hostile,
    runs: [run(madeUpRun('a', 1.4, few)), run(madeUpRun('b', 0.9, few))],
    comparison: {
      ...madeUpComparison(),
      verdict: hostile,
      method: hostile,
      rows: madeUpComparison().rows.map((row) => ({ ...row, metric: hostile })),
      verification: { status: hostile, method: hostile, detail: hostile },
      differences: [{ path: hostile, baseline: hostile, optimized: hostile }],
      warnings: [hostile],
    },
    command: hostile,
  };

  test.each([
    ['of hostile words', htmlReport(input)],
    ['as usual', htmlReport(madeUpReport(few))],
    ['of one run', htmlReport(madeUpSingle(few))],
  ])('%s', (_, page) => {
    // In a well-formed page each tag opens with a name and closes with the next `>` outside quotes.
    const tags = [...page.matchAll(/<\/?([a-zA-Z!][\w-]*)((?:"[^"]*"|[^">])*)>/g)];
    const names = new Set(tags.map(([, name = '']) => name.toLowerCase()));
    for (const name of [
      'script',
      'img',
      'iframe',
      'link',
      'object',
      'embed',
      'base',
      'form',
      'image',
      'use',
      'a:href',
    ])
      expect(names).not.toContain(name);
    for (const [tag, , attributes = ''] of tags) {
      expect(attributes.replace(/"[^"]*"/g, '""'), tag).not.toMatch(/\s(on\w+|src|srcset|action|data)=/i);
      for (const [, target] of attributes.matchAll(/\b(?:xlink:)?href="([^"]*)"/g))
        expect(target).toMatch(/^#/);
    }
    for (const [, target] of page.matchAll(/url\(([^)]*)\)/g)) expect(target).toMatch(/^#/);
    expect(page.match(/@import|[\u202a-\u202e]/)).toBeNull();
    expect(page.includes('\u0007')).toBe(false);
    expect(page.includes("content=\"default-src 'none'")).toBe(true);
  });

  test('strings become text, whatever they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const { text } = html`<p title="${value}">${value}</p>`;
        const [, quoted = '', inner = ''] = /^<p title="([^"]*)">([^<]*)<\/p>$/.exec(text) ?? [];
        const back = (escaped: string) =>
          escaped
            .replaceAll('&lt;', '<')
            .replaceAll('&gt;', '>')
            .replaceAll('&quot;', '"')
            .replaceAll('&#39;', "'")
            .replaceAll('&amp;', '&');
        expect([back(quoted), back(inner)]).toEqual([printable(value), printable(value)]);
      }),
    );
  });
});

describe('what is absent is said, never drawn as a number', () => {
  const bad = /\bNaN\b|\bundefined\b|\bInfinity\b|\bnull\b|\[object/;

  const empty: Partial<Summary> = {
    metrics: {},
    requests: {
      arrived: 0,
      admitted: 0,
      rejected: 0,
      completed: 0,
      unfinished: 0,
      preempted: 0,
      migrated: 0,
    },
    traffic: { name: 'none', requests: 0, prompt_tokens: 0, output_tokens: 0, block_refs: 0, duration_s: 0 },
    per_instance: [],
    balance: { request_imbalance: Number.NaN, token_imbalance: Number.NaN },
    throughput_rps: Number.NaN,
  };

  test('a run without requests, samples, instances or manifest', () => {
    const single = madeUpSingle({ ...few, sloMs: null });
    const [run] = single.runs;
    const page = htmlReport({
      ...single,
      runs: [{ ...withSummary(run, empty), manifest: null, cdf: {}, series: [] }],
    });
    expect(page.match(bad)).toBeNull();
    const text = words(page);
    expect(text).toContain('No TTFT');
    expect(text).toContain('No samples over time');
    expect(text).toContain('The summary names no instances');
    expect(text).toContain('none given: there is no goodput');
    expect(text).not.toContain('Goodput');
  });

  test('series and distributions of gaps only, of zeros only, of one value only', () => {
    const single = madeUpSingle(few);
    const [run] = single.runs;
    for (const value of [Number.NaN, 0, 5]) {
      const cdf = { values: [value, value, value], n: 3 };
      const series = run.series.map((s) => ({
        ...s,
        points: s.points.map((v, i) => (i % 4 === 0 ? v : value)),
      }));
      const page = htmlReport({ ...single, runs: [{ ...run, cdf: { ttft_ms: cdf, tpot_ms: cdf }, series }] });
      expect(page.match(bad)).toBeNull();
    }
  });

  test('a comparison without rows, and one with ratios that cannot be drawn', () => {
    const input = madeUpReport(few);
    const comparison = madeUpComparison();
    const none = htmlReport({ ...input, comparison: { ...comparison, rows: [], method: 'none' } });
    expect(words(none)).toContain('No metric could be compared: there are too few requests');
    const rows = comparison.rows.map((row) => ({
      ...row,
      ratio: Number.POSITIVE_INFINITY,
      ci95: [Number.NaN, Number.POSITIVE_INFINITY] as [number, number],
    }));
    expect(htmlReport({ ...input, comparison: { ...comparison, rows } }).match(bad)).toBeNull();
  });

  test('a run that was interrupted says so', () => {
    const single = madeUpSingle(few);
    const [run] = single.runs;
    const page = htmlReport({ ...single, runs: [{ ...run, info: { ...run.info, status: 'interrupted' } }] });
    expect(words(page)).toContain('optimized: interrupted');
  });

  test('the badge stands for simulated runs only', () => {
    expect(words(htmlReport(madeUpSingle(few)))).toContain('simulated');
    expect(words(htmlReport(madeUpSingle({ ...few, simulated: false })))).not.toContain('simulated');
    const mixed = {
      ...madeUpReport(few),
      runs: [
        madeUpRun('baseline', 1.4, { ...few, simulated: false }),
        madeUpRun('optimized', 0.9, few),
      ] as const,
    };
    expect(words(htmlReport(mixed))).toContain('simulated: optimized only');
  });
});

describe('sizes', () => {
  test('64 instances with long names stay under 600 KB', () => {
    const page = htmlReport(
      madeUpReport({ instances: 64, instanceName: (i) => `rack-${i}-${'very-long-name-'.repeat(8)}` }),
    );
    expect(page.length).toBeLessThan(600_000);
  });

  test('a huge spec is cut and says so', () => {
    const single = madeUpSingle(few);
    const [run] = single.runs;
    const page = htmlReport({ ...single, runs: [{ ...run, manifest: { spec: { text: 'x'.repeat(1e6) } } }] });
    expect(page.length).toBeLessThan(400_000);
    expect(words(page)).toContain('Cut here');
  });

  test('two runs of one variant are told apart', () => {
    const twice = {
      ...madeUpReport(few),
      runs: [madeUpRun('baseline', 1, few), madeUpRun('baseline', 1, few)] as const,
    };
    const text = words(htmlReport(twice));
    expect(text).toContain('A · baseline');
    expect(text).toContain('B · baseline');
  });
});

test('a trace is named by its file, other traffic as it calls itself; pools of both variants where they differ', () => {
  const [a, b] = madeUpReport(few).runs;
  if (b === undefined) throw new Error('no second run');
  const named = (run: ReportRun, kind: string, name: string): ReportRun => ({
    ...withSummary(run, { traffic: { ...run.summary.traffic, name } }),
    manifest: { spec: { traffic: { kind } } },
  });
  const text = (run: ReportRun) => words(htmlReport({ ...madeUpSingle(few), runs: [run] }));
  expect(text(named(a, 'trace', '/home/someone/traces/hour.jsonl'))).toContain(
    'traffic hour.jsonl: 400 requests',
  );
  expect(text(named(a, 'open', 'open, 40 req/s'))).toContain('traffic open, 40 req/s: 400 requests');
  const mixed = withSummary(b, {
    per_instance: b.summary.per_instance.map((i) => ({ ...i, pool: 'mixed' })),
  });
  expect(words(htmlReport({ ...madeUpReport(few), runs: [a, mixed] }))).toContain(
    'baseline: 6 instances (2 prefill, 4 decode); optimized: 6 instances (6 mixed)',
  );
});

describe('series', () => {
  const run = (points: number[]): ReportRun => ({
    ...madeUpSingle(few).runs[0],
    series: [{ source: 'cluster', metric: 'x', points: Float64Array.from(points) } satisfies SeriesResult],
  });

  test('a gap splits a series', () => {
    const gap = [20, Number.NaN, Number.NaN, Number.NaN];
    const found = stretches(run([0, 1, 1, 2, 10, 3, 2, 4, ...gap, 30, 5, 5, 5]), 'cluster', 'x');
    expect(found.map((s) => s.map((b) => [b.ms, b.min, b.last, b.max]))).toEqual([
      [
        [0, 1, 1, 2],
        [10, 2, 3, 4],
      ],
      [[30, 5, 5, 5]],
    ]);
  });

  test('the report asks for the series that it draws', () => {
    const sources = [
      { source: 'cluster', metric: 'ttft_ms.p95' },
      { source: 'cluster', metric: 'e2e_ms.p95' },
      { source: 'pool:decode', metric: 'kv_used' },
      { source: 'instance:3', metric: 'kv_used' },
    ];
    expect(reportSeries(sources)).toEqual([sources[0], sources[2]]);
  });
});

describe('axes', () => {
  const positive = fc.double({ min: 1e-6, max: 1e9, noNaN: true });

  test('ticks of a logarithmic axis are few, ascending and inside', () => {
    fc.assert(
      fc.property(positive, positive, (a, b) => {
        const { extent, ticks } = logScale({ min: Math.min(a, b), max: Math.max(a, b) });
        expect(ticks.length).toBeGreaterThan(0);
        expect(ticks.length).toBeLessThanOrEqual(8);
        ticks.forEach((tick, i) => {
          expect(tick).toBeGreaterThanOrEqual(extent.min * 0.999);
          expect(tick).toBeLessThanOrEqual(extent.max * 1.001);
          expect(tick).toBeGreaterThan(ticks[i - 1] ?? 0);
        });
      }),
    );
  });

  test('examples', () => {
    expect(logTicks({ min: 8, max: 38_000 }, 7)).toEqual([10, 100, 1000, 10_000]);
    expect(logTicks({ min: 0.5, max: 60 }, 7)).toEqual([0.5, 1, 2, 5, 10, 20, 50]);
    expect(linearTicks({ min: 0, max: 58 }, 6)).toEqual([0, 10, 20, 30, 40, 50]);
  });
});

test('interval glyphs stay inside their column', () => {
  const ratio = fc.double({ min: 1e-4, max: 1e4, noNaN: true });
  const [sample] = madeUpComparison().rows;
  if (sample === undefined) throw new Error('no row');
  fc.assert(
    fc.property(fc.array(fc.tuple(ratio, ratio, ratio), { minLength: 1, maxLength: 20 }), (triples) => {
      const rows = triples.map((triple) => {
        const [low = 1, mid = 1, high = 1] = triple.toSorted((a, b) => a - b);
        return { ...sample, ratio: mid, ci95: [low, high] as [number, number] };
      });
      const span = ratioSpan(rows);
      for (const row of rows) {
        for (const [, x] of ratioGlyph(row, span).text.matchAll(/(?:[MLH]|cx=")(-?[\d.]+)/g)) {
          expect(Number(x)).toBeGreaterThanOrEqual(0);
          expect(Number(x)).toBeLessThanOrEqual(190);
        }
      }
    }),
  );
});

test('a manifest is read by path, whatever it is', () => {
  expect(pathIn({ a: { b: 1 } }, 'a.b')).toBe(1);
  expect(pathIn(null, 'a.b')).toBeUndefined();
  expect(pathIn({ a: [] }, 'a.length')).toBeUndefined();
  expect([
    ...flattened({ spec: { x: 1 }, a: { b: [1, 2], c: [{ d: '' }, { d: 'e' }] } }, new Set(['spec'])),
  ]).toEqual([
    ['a.b', '1, 2'],
    ['a.c[1].d', 'e'],
  ]);
});

const withSummary = (run: ReportRun, more: Partial<Summary>): ReportRun => ({
  ...run,
  summary: { ...run.summary, ...more },
});
