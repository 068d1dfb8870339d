import { JobHeap } from './jobHeap.ts';
import type { Jobs } from './jobs.ts';

/** Who is served next, among jobs that wait and are not interrupted once served. */
export interface WaitingRoom {
  readonly size: number;
  push(job: number): void;
  /** Only when somebody waits. */
  pop(): number;
}

export function waitingRoom(discipline: 'fcfs' | 'sjf' | 'priority' | 'lifo', jobs: Jobs): WaitingRoom {
  switch (discipline) {
    case 'fcfs':
      return new FirstIn();
    case 'lifo':
      return new LastIn();
    case 'sjf':
      return new ByKey(jobs.size);
    case 'priority':
      return new ByClass(jobs.jobClass ?? new Uint8Array(jobs.count));
    default: {
      const never: never = discipline;
      return never;
    }
  }
}

/** A ring that grows. */
class FirstIn implements WaitingRoom {
  #ring = new Int32Array(64);
  #first = 0;
  size = 0;

  push(job: number): void {
    const capacity = this.#ring.length;
    if (this.size === capacity) {
      const larger = new Int32Array(capacity * 2);
      for (let i = 0; i < capacity; i++) larger[i] = this.#ring[(this.#first + i) % capacity] ?? 0;
      this.#ring = larger;
      this.#first = 0;
    }
    this.#ring[(this.#first + this.size++) % this.#ring.length] = job;
  }

  pop(): number {
    const job = this.#ring[this.#first] ?? 0;
    this.#first = (this.#first + 1) % this.#ring.length;
    this.size--;
    return job;
  }
}

class LastIn implements WaitingRoom {
  readonly #stack: number[] = [];

  get size(): number {
    return this.#stack.length;
  }
  push(job: number): void {
    this.#stack.push(job);
  }
  pop(): number {
    return this.#stack.pop() ?? 0;
  }
}

class ByKey implements WaitingRoom {
  readonly #key: Float64Array;
  readonly #heap = new JobHeap();

  constructor(key: Float64Array) {
    this.#key = key;
  }

  get size(): number {
    return this.#heap.size;
  }
  push(job: number): void {
    this.#heap.push(this.#key[job] ?? 0, job);
  }
  pop(): number {
    return this.#heap.pop();
  }
}

class ByClass implements WaitingRoom {
  readonly #jobClass: Uint8Array;
  readonly #lines: FirstIn[] = [];
  size = 0;

  constructor(jobClass: Uint8Array) {
    this.#jobClass = jobClass;
  }

  push(job: number): void {
    const line = this.#jobClass[job] ?? 0;
    while (this.#lines.length <= line) this.#lines.push(new FirstIn());
    this.#lines[line]?.push(job);
    this.size++;
  }

  pop(): number {
    this.size--;
    for (const line of this.#lines) if (line.size > 0) return line.pop();
    return 0;
  }
}
