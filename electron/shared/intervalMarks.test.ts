import { describe, expect, it } from 'vitest';
import type { CaptureInterval } from '../../workloads/run/captureInterval.ts';
import { IntervalMarks, intervalOf } from './intervalMarks.ts';

function marked(interval: CaptureInterval | undefined) {
  const said: string[] = [];
  const marks = new IntervalMarks(interval, { push: (name) => said.push(name), pop: () => said.push('end') });
  return { marks, said };
}

describe('the interval of a capture', () => {
  it('opens when simulated time has come to its start, and bounds each step at its edges', () => {
    //      0 ──── 100 ═══════ 300 ──── 1000
    const { marks, said } = marked({ kind: 'simulated', from_ns: 100, to_ns: 300 });
    const bounds = [0, 99, 100, 250, 300, 1000].map((clock) => {
      marks.reached(clock);
      said.push(`at ${clock}`);
      return marks.bound();
    });
    expect(bounds).toEqual([100, 100, 300, 300, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect(said).toEqual(['at 0', 'at 99', 'interval', 'at 100', 'at 250', 'end', 'at 300', 'at 1000']);
  });

  it('counts measured rounds, both ends included, and ends with the run', () => {
    const { marks, said } = marked({ kind: 'rounds', from: 1, to: 2 });
    for (let round = 0; round < 4; round++) {
      marks.beforeRound(round);
      said.push(`round ${round}`);
      marks.afterRound(round);
    }
    marks.end();
    expect(said).toEqual(['round 0', 'interval', 'round 1', 'round 2', 'end', 'round 3']);
    const cut = marked({ kind: 'rounds', from: 0, to: 9 });
    cut.marks.beforeRound(0);
    cut.marks.end();
    expect(cut.said).toEqual(['interval', 'end']);
  });

  it('does nothing where none is asked for', () => {
    const { marks, said } = marked(intervalOf({}));
    marks.reached(5);
    marks.beforeRound(0);
    marks.end();
    expect([said, marks.bound()]).toEqual([[], Number.POSITIVE_INFINITY]);
    expect(intervalOf({ DYNO_CAPTURE_INTERVAL: '{"kind":"rounds","from":1,"to":2}' })).toEqual({
      kind: 'rounds',
      from: 1,
      to: 2,
    });
  });
});
