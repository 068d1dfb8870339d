import { threeFigures, withSeparators } from '../../../workloads/metrics/format.ts';
import { levelLabel, memoryLevels } from '../../../workloads/roofline/ceilings.ts';
import { precisionLabel, precisions } from '../../../workloads/roofline/precision.ts';
import { limitLabel } from '../../../workloads/roofline/roof.ts';
import { flops } from '../../charts/rooflineOption.ts';
import { type Assessed, sourceGlyph } from './plot.ts';
import styles from './Roofline.module.css';
import type { Explored } from './whatIf.ts';

const sourceText = {
  analytic: 'analytic: lower bound of the time, by formula',
  simulated: 'simulated: nothing was measured',
  measured: 'measured in the process by CUPTI',
  captured: 'captured by ncu',
} as const;

export const amount = (value: number, unit: string): string => {
  for (const [prefix, size] of [
    ['P', 1e15],
    ['T', 1e12],
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const)
    if (value >= size) return `${threeFigures(value / size)}\u202f${prefix}${unit}`;
  return `${threeFigures(value)}\u202f${unit}`;
};

export function duration(ns: number): string {
  if (ns >= 1e9) return `${threeFigures(ns / 1e9)}\u202fs`;
  if (ns >= 1e6) return `${threeFigures(ns / 1e6)}\u202fms`;
  return ns >= 1e3 ? `${threeFigures(ns / 1e3)}\u202fµs` : `${threeFigures(ns)}\u202fns`;
}

/** Everything about one point: where its figures come from, what bounds it, how far from the roof it is. */
export function PointInspector({
  chosen,
  explored,
}: {
  readonly chosen: Assessed | undefined;
  readonly explored: Explored;
}) {
  if (chosen === undefined)
    return (
      <aside className={styles.inspector} aria-label="Point">
        <p className={styles.quiet}>No ceiling is known for this card: no point can be drawn.</p>
      </aside>
    );
  const { point, assessment, ceilings } = chosen;
  const exact = (value: number, unit: string) => `${withSeparators(String(Math.round(value)))} ${unit}`;
  const tokens = [explored.decode, explored.prefill].find((one) => one?.point.id === point.id)?.tokensPerSec;
  return (
    <aside
      className={`${styles.inspector} selectable`}
      aria-label="Point"
      data-testid="point"
      data-point={point.id}
    >
      <h2 title={point.label}>{point.label}</h2>
      <p className={styles.quiet}>
        {sourceGlyph[point.source]} {sourceText[point.source]} · {ceilings.card}
      </p>
      {assessment !== undefined && (
        <p className={styles.verdict} data-bound={assessment.bound.kind} data-testid="point-verdict">
          {assessment.verdict}
        </p>
      )}
      {assessment?.bound.kind === 'latency' && <p className={styles.quiet}>{assessment.bound.reason}</p>}
      <table className={styles.facts}>
        <tbody>
          {precisions.map((precision) => {
            const work = point.work[precision];
            return work === undefined ? null : (
              <tr key={precision}>
                <th>work, {precisionLabel[precision]}</th>
                <td title={exact(work, 'FLOP')}>{amount(work, 'FLOP')}</td>
              </tr>
            );
          })}
          {memoryLevels.map((level) => {
            const bytes = point.bytes[level];
            return bytes === undefined ? null : (
              <tr key={level}>
                <th>bytes, {levelLabel[level]}</th>
                <td title={exact(bytes, 'B')}>{amount(bytes, 'B')}</td>
              </tr>
            );
          })}
          {memoryLevels.map((level) => {
            const intensity = assessment?.intensity[level];
            return intensity === undefined ? null : (
              <tr key={level}>
                <th>intensity, {levelLabel[level]}</th>
                <td data-testid={level === 'hbm' ? 'point-intensity' : undefined}>
                  {threeFigures(intensity)} FLOP/B
                </td>
              </tr>
            );
          })}
          {point.timeNs !== undefined && <Fact name="time" value={duration(point.timeNs)} />}
          {point.timeNs !== undefined &&
            memoryLevels.map((level) => {
              const bytes = point.bytes[level];
              const roof = ceilings.memory[level]?.value;
              if (bytes === undefined || point.timeNs === undefined) return null;
              const rate = bytes / (point.timeNs / 1e9);
              return (
                <Fact
                  key={level}
                  name={`bandwidth, ${levelLabel[level]}`}
                  value={`${amount(rate, 'B/s')}${roof === undefined ? '' : `, ${threeFigures((100 * rate) / roof)} %`}`}
                />
              );
            })}
          {assessment !== undefined && (
            <>
              <Fact name="lower bound" value={`≥ ${duration(assessment.bestNs)}`} />
              <Fact name="attainable" value={flops(assessment.attainable)} />
              {assessment.achieved !== undefined && (
                <Fact name="achieved" value={flops(assessment.achieved)} />
              )}
              {assessment.efficiency !== undefined && (
                <Fact name="of the roof" value={`${threeFigures(assessment.efficiency * 100)} %`} />
              )}
            </>
          )}
          {tokens !== undefined && (
            <Fact name="tokens per second, upper bound" value={`≤ ${amount(tokens, 'tok/s')}`} />
          )}
        </tbody>
      </table>
      {assessment !== undefined && (
        <>
          <h3>What it waits for, longest first</h3>
          {assessment.limits.map((limit) => (
            <div key={limitLabel(limit)} className={styles.limit}>
              <span>{limitLabel(limit)}</span>
              <span className={styles.bar}>
                <span style={{ width: `${(100 * limit.seconds * 1e9) / assessment.bestNs}%` }} />
              </span>
              <span>{duration(limit.seconds * 1e9)}</span>
            </div>
          ))}
        </>
      )}
      <h3>Formula</h3>
      {point.formula.map((line) => (
        <p key={line} className={`${styles.formula} mono`}>
          {line}
        </p>
      ))}
      {[...(assessment?.warnings ?? []), ...point.notes].map((note) => (
        <p key={note} className={styles.note}>
          {note}
        </p>
      ))}
    </aside>
  );
}

const Fact = ({ name, value }: { readonly name: string; readonly value: string }) => (
  <tr>
    <th>{name}</th>
    <td>{value}</td>
  </tr>
);
