import type { ComparisonRow } from '../../../electron/contract/protocol.ts';
import { formatRatio } from '../../../workloads/metrics/format.ts';
import { placeOf } from './intervalExtent.ts';

const width = 112;
const tokens: Readonly<Record<ComparisonRow['verdict'], string>> = {
  better: '--good',
  worse: '--fault',
  no_evidence: '--text-3',
};

/** A ratio and its interval on a log axis about 1; hollow where the interval holds 1. */
export function IntervalGlyph({ row, extent }: { readonly row: ComparisonRow; readonly extent: number }) {
  const x = (ratio: number) => 4 + placeOf(ratio, extent) * (width - 8);
  const colour = `var(${tokens[row.verdict]})`;
  const [low, high] = row.ci95;
  return (
    <svg
      width={width}
      height={16}
      role="img"
      aria-label={`ratio ${formatRatio(row.ratio)}, 95 % interval ${formatRatio(low)} to ${formatRatio(high)}`}
    >
      <line x1={x(1)} x2={x(1)} y1={0} y2={16} stroke="var(--line-strong)" />
      <line x1={x(low)} x2={x(high)} y1={8} y2={8} stroke={colour} strokeWidth={2} />
      <line x1={x(low)} x2={x(low)} y1={5} y2={11} stroke={colour} />
      <line x1={x(high)} x2={x(high)} y1={5} y2={11} stroke={colour} />
      <circle
        cx={x(row.ratio)}
        cy={8}
        r={3.2}
        fill={row.verdict === 'no_evidence' ? 'var(--surface-1)' : colour}
        stroke={colour}
        strokeWidth={1.4}
      />
    </svg>
  );
}
