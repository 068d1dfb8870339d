/**
 * Order of the batches of one publisher, and what to do about a gap:
 *
 *   5 6 7 ──► 10       ask for a replay from 8; take 10 only when 8 and 9 came, or when the replay says they are gone
 *   5 6 7 ──► 0        a restart: all that was known is gone
 *   5 6 7 ──► 6        seen already
 */
export type KvStep =
  | { readonly kind: 'apply' }
  | { readonly kind: 'repeat' }
  | { readonly kind: 'restarted' }
  /** Batches `from` … `to − 1` are missing. */
  | { readonly kind: 'gap'; readonly from: number; readonly to: number };

export class KvSequence {
  private last = -1;
  private isFirst = true;
  /** Batches that never came, even on replay. */
  lost = 0;
  gaps = 0;
  restarts = 0;

  /** The last batch that was applied; −1 before the first. */
  get applied(): number {
    return this.last;
  }

  step(sequence: number): KvStep {
    if (this.isFirst) {
      // A subscriber that joins late asks for all that the publisher still holds.
      if (sequence > 0) return { kind: 'gap', from: 0, to: sequence };
      return { kind: 'apply' };
    }
    if (sequence === this.last + 1) return { kind: 'apply' };
    if (sequence > this.last + 1) return { kind: 'gap', from: this.last + 1, to: sequence };
    return sequence === 0 ? { kind: 'restarted' } : { kind: 'repeat' };
  }

  /** The batch was applied. */
  advance(sequence: number): void {
    this.isFirst = false;
    this.last = sequence;
  }

  /** What was asked for will not come: the batches before `next` are lost. */
  skipTo(next: number): void {
    if (!this.isFirst) this.lost += next - 1 - this.last;
    this.isFirst = false;
    this.last = next - 1;
  }

  /** The connection broke: what comes next may be of a restarted server, so all that it still holds is asked for. */
  forget(): void {
    this.isFirst = true;
    this.last = -1;
  }

  restart(): void {
    this.restarts += 1;
    this.isFirst = false;
    this.last = -1;
  }
}
