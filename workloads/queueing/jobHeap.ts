/** A binary heap of jobs by key, smallest first; equal keys in order of job, so the order is total. */
export class JobHeap {
  #keys = new Float64Array(64);
  #jobs = new Int32Array(64);
  size = 0;

  get minKey(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : (this.#keys[0] ?? 0);
  }

  push(key: number, job: number): void {
    if (this.size === this.#keys.length) this.#grow();
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#keys[parent] ?? 0;
      const aboveJob = this.#jobs[parent] ?? 0;
      if (above < key || (above === key && aboveJob < job)) break;
      this.#keys[at] = above;
      this.#jobs[at] = aboveJob;
      at = parent;
    }
    this.#keys[at] = key;
    this.#jobs[at] = job;
  }

  /** Takes the job with the smallest key; only when there is one. */
  pop(): number {
    const top = this.#jobs[0] ?? 0;
    const key = this.#keys[--this.size] ?? 0;
    const job = this.#jobs[this.size] ?? 0;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && this.#before(child + 1, child)) child++;
      const below = this.#keys[child] ?? 0;
      const belowJob = this.#jobs[child] ?? 0;
      if (key < below || (key === below && job < belowJob)) break;
      this.#keys[at] = below;
      this.#jobs[at] = belowJob;
      at = child;
    }
    this.#keys[at] = key;
    this.#jobs[at] = job;
    return top;
  }

  #before(a: number, b: number): boolean {
    const keyA = this.#keys[a] ?? 0;
    const keyB = this.#keys[b] ?? 0;
    return keyA < keyB || (keyA === keyB && (this.#jobs[a] ?? 0) < (this.#jobs[b] ?? 0));
  }

  #grow(): void {
    const keys = new Float64Array(this.#keys.length * 2);
    const jobs = new Int32Array(keys.length);
    keys.set(this.#keys);
    jobs.set(this.#jobs);
    this.#keys = keys;
    this.#jobs = jobs;
  }
}
