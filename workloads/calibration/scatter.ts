import { type Latencies, type MeasuredRequest, measuredLatencies } from './measuredRun.ts';

const titles = { ttft: 'TTFT, s', tpot: 'TPOT, ms', e2e: 'E2E, s' } as const;
const size = 260;
const edge = 44;

/** One dot per request: measured across, simulated up; on the diagonal they agree, the dashed lines are 10 % off. */
export function scatter(
  title: string,
  simulated: readonly Latencies[],
  requests: readonly MeasuredRequest[],
): string {
  const measured = requests.map(measuredLatencies);
  const panels = (['ttft', 'tpot', 'e2e'] as const).map((metric, i) => {
    const unit = metric === 'tpot' ? 1 : 1e3;
    const pairs = measured.flatMap((request, r) => {
      const x = request[metric] / unit;
      const y = (simulated[r]?.[metric] ?? Number.NaN) / unit;
      return Number.isNaN(x + y) ? [] : [[x, y] as const];
    });
    const top = 1.05 * Math.max(...pairs.flat());
    const left = edge + i * (size + edge + 16);
    const px = (x: number) => (left + (x / top) * size).toFixed(1);
    const py = (y: number) => (28 + size - (y / top) * size).toFixed(1);
    const line = (slope: number, dash: string) => {
      const x = slope > 1 ? top / slope : top;
      return `<line x1="${px(0)}" y1="${py(0)}" x2="${px(x)}" y2="${py(x * slope)}" stroke="#888" ${dash}/>`;
    };
    const ticks = [0, 0.25, 0.5, 0.75, 1]
      .map((part) => (top / 1.05) * part)
      .map(
        (value) =>
          `<text x="${px(value)}" y="${28 + size + 14}" text-anchor="middle">${value.toFixed(0)}</text>` +
          `<text x="${left - 5}" y="${py(value)}" text-anchor="end" dy="3">${value.toFixed(0)}</text>`,
      )
      .join('');
    return [
      `<rect x="${left}" y="28" width="${size}" height="${size}" fill="none" stroke="#888"/>`,
      line(1, ''),
      line(1.1, 'stroke-dasharray="3 3"'),
      line(1 / 1.1, 'stroke-dasharray="3 3"'),
      ...pairs.map(
        ([x, y]) => `<circle cx="${px(x)}" cy="${py(y)}" r="2" fill="#2a6fdb" fill-opacity="0.5"/>`,
      ),
      ticks,
      `<text x="${left + size / 2}" y="${28 + size + 30}" text-anchor="middle">${titles[metric]}: measured across, simulated up</text>`,
    ].join('\n');
  });
  const width = 3 * (size + edge + 16) + 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${size + 68}" font-family="sans-serif" font-size="10" fill="#444">`,
    `<title>${title}</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="${edge}" y="18" font-size="13">${title}</text>`,
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}
