/** Colours of score terms by order of appearance, so that a term keeps its colour in every view of a session. */
export class TermPalette {
  private readonly seen = new Map<string, number>();

  tokenOf(term: string): string {
    let index = this.seen.get(term);
    if (index === undefined) {
      index = this.seen.size;
      this.seen.set(term, index);
    }
    return `--series-${(index % 8) + 1}`;
  }
}
