import type { KernelSummary, KernelVariantSummary } from '../../../workloads/kernels/kernelSummary.ts';
import { formatMetric, formatRatio, withSeparators } from '../../../workloads/metrics/format.ts';
import type { Comparison, RunInfo } from '../../contract/protocol.ts';
import { extentOf, fromZero, linearScale } from './charts/axes.ts';
import { cdfChart } from './charts/cdfChart.ts';
import { lineChart } from './charts/lineChart.ts';
import { figure } from './figures.ts';
import { Footnotes } from './footnotes.ts';
import { htmlPage } from './htmlPage.ts';
import { variantKey } from './legend.ts';
import { type Content, html, type Markup, nothing } from './markup.ts';
import { changeWords, instant } from './sections/headline.ts';
import { differences, provenance, verification } from './sections/provenance.ts';
import { ratios } from './sections/ratios.ts';
import { topologySection } from './sections/topology.ts';
import type { VariantInk } from './variantInk.ts';

/** One measured iteration: when it began (ms since the run's start) and how long it took. */
export interface MeasuredIteration {
  readonly startMs: number;
  readonly ms: number;
}

export interface KernelReportRun {
  readonly info: RunInfo;
  readonly manifest: unknown;
  readonly summary: KernelSummary;
  readonly iterations: Readonly<Record<string, readonly MeasuredIteration[]>>;
  /** The phases of the run and their durations. */
  readonly spans: readonly { readonly name: string; readonly ms: number }[];
  readonly command: string;
}

export interface KernelReportInput {
  readonly title: string;
  readonly made: string;
  readonly version: string;
  readonly runs: readonly [KernelReportRun] | readonly [KernelReportRun, KernelReportRun];
  /** Absent where one variant was measured alone. */
  readonly comparison?: Comparison;
  readonly command: string;
}

type Ink = Pick<VariantInk, 'label' | 'colour' | 'symbol' | 'dashed'>;
interface Line {
  readonly ink: Ink;
  readonly variant: KernelVariantSummary;
  readonly iterations: readonly MeasuredIteration[];
}

const colours: Readonly<Record<string, string>> = {
  baseline: 'var(--baseline)',
  optimized: 'var(--optimized)',
};

/** Every variant of every run, in order; of two runs of the same variants the first is drawn dashed. */
function linesOf(runs: readonly KernelReportRun[]): Line[] {
  return runs.flatMap(({ summary, iterations }, index) =>
    Object.entries(summary.variants).map(
      ([id, variant]): Line => ({
        ink: {
          label: runs.length === 1 ? id : `${'AB'[index]} · ${id}`,
          colour: colours[id] ?? 'var(--other-variant)',
          symbol: id === 'baseline' ? 'circle' : 'diamond',
          dashed: runs.length === 2 && index === 0,
        },
        variant,
        iterations: iterations[id] ?? [],
      }),
    ),
  );
}

/** The report of runs that measured kernels: one run with its variants in turn, or two runs of one target. */
export function kernelReport(input: KernelReportInput): string {
  const notes = new Footnotes();
  const lines = linesOf(input.runs);
  const { comparison, runs } = input;
  const labels =
    runs.length === 2
      ? [{ label: 'first run' }, { label: 'second run' }]
      : [{ label: 'baseline' }, { label: 'optimized' }];
  const named = runs.map((run, i) => ({ label: runs.length === 1 ? 'this run' : `run ${'AB'[i]}`, run }));
  const sections = [
    header(input, lines, notes),
    comparison === undefined ? nothing : ratios(comparison, labels, notes),
    variants(lines),
    times(lines, notes),
    ...runs.map(({ summary }) => topologySection(summary.findings)),
    phases(runs),
    verification(comparison ?? { ...emptyComparison, verification: runs[0].summary.verification }),
    comparison === undefined || runs.length === 1 ? nothing : differences(comparison, labels),
    provenance(input, named),
  ];
  return htmlPage({
    title: input.title,
    made: input.made,
    version: input.version,
    sections,
    legend:
      'Times are of whole iterations: between two CUDA events on the stream (of the topology probe by the host’s clock), warm-up left out; medians, never means of ratios.',
    notes,
  });
}

const emptyComparison: Comparison = {
  baseline: '',
  optimized: '',
  verdict: '',
  rows: [],
  method: 'none',
  verification: { status: 'not_run', method: '' },
  differences: [],
  warnings: [],
};

function header(input: KernelReportInput, lines: readonly Line[], notes: Footnotes): Markup {
  const { comparison, runs } = input;
  const [{ summary, info }] = runs;
  const verdict = comparison?.verdict ?? info.kernel?.verdict ?? '';
  const broken = runs.filter((run) => run.info.status !== 'done');
  const parameters = Object.entries(parametersOf(runs[0].manifest));
  const facts: readonly (readonly [string, Content])[] = [
    ['variants', lines.map(({ ink }) => variantKey(ink))],
    [
      'GPU',
      [...new Set(runs.map((run) => `${run.summary.device.name} (GPU ${run.summary.device.index})`))].join(
        '; ',
      ),
    ],
    ['rounds', `${summary.iterations} of each variant in turn, after ${summary.warm_up} of warm-up`],
    ['parameters', parameters.map(([name, value]) => `${name} ${value}`).join(', ') || 'none'],
    ['seed', String(summary.seed)],
  ];
  return html`<header>
<p class="eyebrow">Dyno kernel report · ${instant(input.made)}</p>
<h1>${input.title}</h1>
<div class="badges"><span class="badge">engine cuda</span><span class="badge">measured</span><span class="badge"><code>${summary.target}</code></span></div>
<p class="verdict">${verdict.replace(/(\d) %/g, '$1\u00a0%')}</p>
${(comparison?.warnings ?? []).map((warning) => html`<p class="note"><b>Note</b> ${warning}</p>`)}
${broken.map((run) => html`<p class="note fault"><b>${run.info.status}</b> This run did not come to its end; its figures cover what was done until then.</p>`)}
<div class="figures">${tiles(input, lines, notes)}</div>
<dl class="facts">${facts.map(([term, what]) => html`<dt>${term}</dt><dd>${what}</dd>`)}</dl>
</header>`;
}

const parametersOf = (manifest: unknown): Readonly<Record<string, unknown>> => {
  const spec =
    typeof manifest === 'object' && manifest !== null && 'spec' in manifest ? manifest.spec : undefined;
  return typeof spec === 'object' &&
    spec !== null &&
    'parameters' in spec &&
    typeof spec.parameters === 'object'
    ? { ...spec.parameters }
    : {};
};

function tiles({ comparison }: KernelReportInput, lines: readonly Line[], notes: Footnotes): Content {
  const row = comparison?.rows.find(({ metric }) => metric === 'workload_ms.p50');
  return lines.slice(0, 4).map(
    ({ ink, variant }, i) =>
      html`<div class="tile"><div class="name">${ink.label}, ${notes.name('workload_ms')} median</div><div class="value">${figure('workload_ms', variant.iteration_ms.median)}</div>
<div class="was">${interval(variant)}</div>${i === lines.length - 1 && row !== undefined && html`<div class="change">${changeWords(row)}</div>`}</div>`,
  );
}

const interval = ({ iteration_ms: time }: KernelVariantSummary): string =>
  time.ci95 === undefined
    ? `n = ${time.n}: too few for an interval`
    : `95 % CI ${formatMetric('workload_ms', time.ci95[0])} – ${formatMetric('workload_ms', time.ci95[1])}, n = ${time.n}`;

function variants(lines: readonly Line[]): Markup {
  const base = lines[0]?.variant.iteration_ms.median;
  const rows = lines.map(({ ink, variant }, i) => {
    const { iteration_ms: time, work, flop_per_s: flops, host_bytes_per_s: bytes } = variant;
    const isVerified = variant.verification.length > 0;
    const worst = Math.max(0, ...variant.verification.map((check) => check.worst));
    return html`<tr><td class="key">${variantKey(ink)}</td><td>${figure('workload_ms', time.median)}</td><td>${figure('workload_ms', time.min)}</td><td>${figure('workload_ms', time.max)}</td>
<td class="num">${i === 0 || base === undefined ? '' : formatRatio(time.median / base)}</td>
<td class="num">${flops === undefined ? '–' : (flops / 1e12).toPrecision(3)}</td><td class="num">${bytes === undefined ? '–' : (bytes / 1e9).toPrecision(3)}</td>
<td class="num">${withSeparators(String(work.launches))}</td><td class="num">${withSeparators(String(Number(variant.items_per_s.toPrecision(3))))} ${work.itemName}/s</td>
<td class="text">${!isVerified ? 'not verified' : variant.verification.every(({ ok }) => ok) ? `✓ worst ${worst.toPrecision(2)}` : html`<b class="worse">✗ wrong</b>, worst ${worst.toPrecision(2)}`}</td></tr>`;
  });
  return html`<section><h2>The variants</h2>
<div class="scroll"><table><thead><tr><th class="text">variant</th><th>median</th><th>least</th><th>most</th><th>to the first</th><th>TFLOP/s</th><th>GB/s</th><th>launches</th><th>throughput</th><th class="text">outputs</th></tr></thead><tbody>${rows}</tbody></table></div>
<p class="small">Rates from the median: operations that the work needs, useful bytes over the host link or between GPUs, launches of one iteration. Outputs: the largest difference from the reference over its root mean square.</p></section>`;
}

function times(lines: readonly Line[], notes: Footnotes): Markup {
  const drawn = lines.filter(({ iterations }) => iterations.length > 0);
  if (drawn.length === 0)
    return html`<section><h2>Times of the iterations</h2><p class="empty">This bundle kept no rows of single iterations.</p></section>`;
  const extent = extentOf(drawn.map(({ iterations }) => iterations.map(({ ms }) => ms)));
  const end = Math.max(
    ...drawn.flatMap(({ iterations }) => iterations.map(({ startMs, ms }) => startMs + ms)),
  );
  const overTime = lineChart(
    'workload_ms',
    drawn.map(({ ink, iterations }) => ({
      colour: ink.colour,
      dash: ink.dashed ? [6, 2.5] : 'solid',
      width: 1.4,
      stretches: [iterations.map(({ startMs, ms }) => ({ ms: startMs, last: ms, min: ms, max: ms }))],
    })),
    linearScale(fromZero(extent)),
    end,
    { width: 940, height: 240 },
    'Time of each measured iteration over the run',
  );
  const cdf = cdfChart(
    'workload_ms',
    drawn.map(({ ink, iterations }) => ({
      ink,
      cdf: { values: iterations.map(({ ms }) => ms).sort((x, y) => x - y), n: iterations.length },
    })),
    undefined,
  );
  return html`<section><h2>Times of the iterations</h2>
<figure><figcaption><b>Over the run</b>${notes.mark('workload_ms')}: every measured iteration, the variants in turn. A drift (clocks, temperature) shows in all of them.</figcaption>
<div class="legend">${drawn.map(({ ink }) => variantKey(ink))}</div>${overTime}</figure>
<div class="row"><figure><figcaption><b>Distribution</b>: share of iterations at or below, logarithmic axis. Marks: p50, p95, p99.</figcaption>${cdf}</figure></div></section>`;
}

function phases(runs: readonly KernelReportRun[]): Markup {
  const all = runs.flatMap(({ spans }, i) =>
    spans.map(
      ({ name, ms }) =>
        html`<tr>${runs.length === 2 && html`<td class="key">${'AB'[i]}</td>`}<td class="key">${name}</td><td>${figure('workload_ms', ms)}</td></tr>`,
    ),
  );
  if (all.length === 0) return nothing;
  return html`<section><h2>Where the run’s time went</h2><table class="value-list"><thead><tr>${runs.length === 2 && html`<th class="text">run</th>`}<th class="text">phase</th><th>took</th></tr></thead><tbody>${all}</tbody></table></section>`;
}
