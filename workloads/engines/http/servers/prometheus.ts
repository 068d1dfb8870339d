/**
 * Prometheus' text format (version 0.0.4 and OpenMetrics), as much as the servers' /metrics need.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export interface PrometheusSample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

/** All samples of a page, in its order; lines that are no sample are skipped. */
export function parsePrometheus(text: string): PrometheusSample[] {
  const samples: PrometheusSample[] = [];
  for (const line of text.split('\n')) {
    const sample = sampleOf(line.trim());
    if (sample !== undefined) samples.push(sample);
  }
  return samples;
}

const nameStart = /^[A-Za-z_:][A-Za-z0-9_:]*/;

function sampleOf(line: string): PrometheusSample | undefined {
  if (line === '' || line.startsWith('#')) return undefined;
  const name = nameStart.exec(line)?.[0];
  if (name === undefined) return undefined;
  const labels = new Map<string, string>();
  let at = name.length;
  if (line[at] === '{') {
    const end = readLabels(line, at + 1, labels);
    if (end === undefined) return undefined;
    at = end;
  }
  const [text = ''] = line.slice(at).trim().split(/\s+/);
  const value = numberOf(text);
  return value === undefined ? undefined : { name, labels, value };
}

/** Reads `a="x",b="y"}` from `at`; returns the place behind the brace, undefined where the line breaks off. */
function readLabels(line: string, from: number, labels: Map<string, string>): number | undefined {
  let at = from;
  for (;;) {
    while (line[at] === ',' || line[at] === ' ') at += 1;
    if (line[at] === '}') return at + 1;
    const equals = line.indexOf('=', at);
    if (equals < 0 || line[equals + 1] !== '"') return undefined;
    const key = line.slice(at, equals).trim();
    let value = '';
    at = equals + 2;
    for (; line[at] !== '"'; at += 1) {
      if (at >= line.length) return undefined;
      if (line[at] === '\\') {
        at += 1;
        value += line[at] === 'n' ? '\n' : (line[at] ?? '');
      } else value += line[at];
    }
    labels.set(key, value);
    at += 1;
  }
}

function numberOf(text: string): number | undefined {
  switch (text) {
    case 'NaN':
      return Number.NaN;
    case '+Inf':
    case 'Inf':
      return Number.POSITIVE_INFINITY;
    case '-Inf':
      return Number.NEGATIVE_INFINITY;
    default: {
      const value = Number(text);
      return text === '' || Number.isNaN(value) ? undefined : value;
    }
  }
}
