/** The charts on screen, so that commands can save them as pictures. */
export interface ShelvedChart {
  readonly id: string;
  readonly title: string;
  /** A PNG at twice the size on screen, with title, unit and legend, on the theme's ground. */
  picture(): Promise<Uint8Array>;
}

export class ChartShelf {
  private readonly charts = new Map<string, ShelvedChart>();

  add(chart: ShelvedChart): () => void {
    this.charts.set(chart.id, chart);
    return () => {
      if (this.charts.get(chart.id) === chart) this.charts.delete(chart.id);
    };
  }

  get all(): readonly ShelvedChart[] {
    return [...this.charts.values()];
  }
}
