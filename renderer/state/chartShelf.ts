export type PictureFormat = 'png' | 'svg';

/** The charts on screen, so that commands can save them as pictures. */
export interface ShelvedChart {
  readonly id: string;
  readonly title: string;
  /**
   * The chart with title, unit and legend, on the theme's ground: a PNG at twice the size on screen, or a drawing of lines and
   * text (SVG) at that size.
   */
  picture(format: PictureFormat): Promise<Uint8Array>;
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
