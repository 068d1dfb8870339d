/** A binary heap of jobs by key, smallest first; equal keys in order of job, so the order is total. */
export class JobHeap {
  #keys = new Float64Array(64);
  #jobs = new Int32Array(64);
  size = 0;

  get minKey(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : (this.#keys[0] ?? 0);
  }

  /** The job with the smallest key; −1 where there is none. */
  get min(): number {
    return this.size === 0 ? -1 : (this.#jobs[0] ?? -1);
  }

  /** The i-th job in no particular order; i < size. */
  at(i: number): number {
    return this.#jobs[i] ?? -1;
  }

  push(key: number, job: number): void {
    if (this.size === this.#keys.length) this.#grow();
    this.#rise(this.size++, key, job);
  }

  /** Takes the job with the smallest key; only when there is one. */
  pop(): number {
    const top = this.#jobs[0] ?? 0;
    this.#drop(0);
    return top;
  }

  /** Takes a job out of the middle: rare, so it is looked for. False where it is not here. */
  remove(job: number): boolean {
    const at = this.#jobs.subarray(0, this.size).indexOf(job);
    if (at >= 0) this.#drop(at);
    return at >= 0;
  }

  /** Fills the place of a job that left with the last one. */
  #drop(hole: number): void {
    const key = this.#keys[--this.size] ?? 0;
    const job = this.#jobs[this.size] ?? 0;
    if (hole === this.size) return;
    let at = hole;
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
    this.#rise(at, key, job);
  }

  #rise(from: number, key: number, job: number): void {
    let at = from;
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
