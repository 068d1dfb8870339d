import type { Blocks } from '../../../units.ts';
import { rootKey } from './chainKeys.ts';

interface Node {
  readonly key: number;
  readonly parent: Node | undefined;
  readonly children: Set<Node>;
  /** Neighbours in the order of last use. */
  older: Node | undefined;
  newer: Node | undefined;
}

/**
 * What one server's prefix cache should hold, judged by what was sent there: a tree of blocks with the capacity of the
 * server and its order of eviction (least recently used leaf first). Answers correct it.
 *
 *   sent A B C, A B D          A ─ B ─ C        an answer to A B E reports 1 cached block: B was evicted, so C and D are
 *                                    └ D        unreachable and go; A, and the new B and E, stay
 */
export class SentPrefixes {
  /** Blocks that the server holds; Infinity where it does not say. */
  capacity: Blocks;
  private readonly nodes = new Map<number, Node>();
  private oldest: Node | undefined;
  private newest: Node | undefined;

  constructor(capacity: Blocks) {
    this.capacity = capacity;
  }

  get size(): Blocks {
    return this.nodes.size;
  }

  /** Leading blocks of the prompt that should be there. */
  match(keys: ArrayLike<number>): Blocks {
    let blocks = 0;
    while (blocks < keys.length && this.nodes.has(keys[blocks] ?? rootKey)) blocks++;
    return blocks;
  }

  /** A prompt went there: its blocks are, or will be, the most recently used. */
  sent(keys: ArrayLike<number>): void {
    const path: Node[] = [];
    let parent: Node | undefined;
    for (let b = 0; b < keys.length; b++) {
      const key = keys[b] ?? rootKey;
      let node = this.nodes.get(key);
      if (node === undefined) {
        node = { key, parent, children: new Set(), older: undefined, newer: undefined };
        parent?.children.add(node);
        this.nodes.set(key, node);
      } else this.unlink(node);
      path.push(node);
      parent = node;
    }
    // The last block is linked first, so that it is older than its parents: leaves go before roots.
    for (let b = path.length - 1; b >= 0; b--) {
      const node = path[b];
      if (node !== undefined) this.link(node);
    }
    while (this.nodes.size > this.capacity) {
      const victim = this.oldest;
      if (victim === undefined) break;
      this.remove(victim);
    }
  }

  /**
   * An answer says that `cached` leading blocks of the prompt were found. Fewer than believed: what hangs below the first
   * missing block was unreachable, so it is cut off, apart from the prompt itself, which the server holds now.
   */
  answered(keys: ArrayLike<number>, cached: Blocks): void {
    const missing = this.nodes.get(keys[cached] ?? Number.NaN);
    if (missing === undefined) return;
    const own = new Set<number>();
    for (let b = 0; b < keys.length; b++) own.add(keys[b] ?? rootKey);
    const cut = [missing];
    for (let node = cut.pop(); node !== undefined; node = cut.pop())
      for (const child of [...node.children]) {
        if (own.has(child.key)) cut.push(child);
        else this.remove(child);
      }
  }

  clear(): void {
    this.nodes.clear();
    this.oldest = undefined;
    this.newest = undefined;
  }

  /** Removes a block and everything behind it. */
  private remove(root: Node): void {
    root.parent?.children.delete(root);
    const stack = [root];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      stack.push(...node.children);
      this.unlink(node);
      this.nodes.delete(node.key);
    }
  }

  private link(node: Node): void {
    node.older = this.newest;
    node.newer = undefined;
    if (this.newest !== undefined) this.newest.newer = node;
    this.newest = node;
    this.oldest ??= node;
  }

  private unlink(node: Node): void {
    if (node.older !== undefined) node.older.newer = node.newer;
    else if (this.oldest === node) this.oldest = node.newer;
    if (node.newer !== undefined) node.newer.older = node.older;
    else if (this.newest === node) this.newest = node.older;
    node.older = undefined;
    node.newer = undefined;
  }
}
