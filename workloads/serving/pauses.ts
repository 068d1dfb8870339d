import type { Sketch } from '../metrics/sketch.ts';
import type { Ns } from '../units.ts';

/** Sequences that decode again after a pause, and the pause: their next gap is longer than the pass. */
export class Pauses {
  length = 0;
  private request = new Int32Array(4);
  private pause = new Float64Array(4);

  push(r: number, pause: Ns): void {
    if (this.length === this.request.length) {
      const requests = new Int32Array(this.length * 2);
      const pauses = new Float64Array(this.length * 2);
      requests.set(this.request);
      pauses.set(this.pause);
      this.request = requests;
      this.pause = pauses;
    }
    this.request[this.length] = r;
    this.pause[this.length++] = pause;
  }

  /** The request goes before its first pass after the pause; nothing where it is not here. The latest is at the end. */
  remove(r: number): void {
    let at = this.length - 1;
    while (at >= 0 && this.request[at] !== r) at--;
    if (at < 0) return;
    this.request.copyWithin(at, at + 1, this.length);
    this.pause.copyWithin(at, at + 1, this.length);
    this.length--;
  }

  clear(): void {
    this.length = 0;
  }

  /** A pass of this length ended: each gap that it ends goes to the sketch, in ms. */
  end(passNs: Ns, gapsMs: Sketch): void {
    for (let i = 0; i < this.length; i++) gapsMs.add((passNs + (this.pause[i] ?? 0)) / 1e6, 1);
    this.length = 0;
  }
}
