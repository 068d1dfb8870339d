/** The tokens as values, for canvases. Read again when the theme changes. */
export class ChartInk {
  private readonly values = new Map<string, string>();
  private readonly hatches = new Map<string, HTMLCanvasElement>();

  colour(token: string): string {
    let value = this.values.get(token);
    if (value === undefined) {
      value = getComputedStyle(document.documentElement).getPropertyValue(token).trim();
      this.values.set(token, value);
    }
    return value;
  }

  /** With transparency; tokens are six hex digits. */
  faint(token: string, alpha: number): string {
    return (
      this.colour(token) +
      Math.round(alpha * 255)
        .toString(16)
        .padStart(2, '0')
    );
  }

  /** Diagonal lines: what is drawn with them was simulated. */
  hatch(token: string, alpha: number): HTMLCanvasElement {
    const key = `${token} ${alpha}`;
    let canvas = this.hatches.get(key);
    if (canvas === undefined) {
      canvas = drawHatch(this.faint(token, alpha));
      this.hatches.set(key, canvas);
    }
    return canvas;
  }

  forget(): void {
    this.values.clear();
    this.hatches.clear();
  }
}

function drawHatch(colour: string): HTMLCanvasElement {
  const size = 6;
  const canvas = document.createElement('canvas');
  canvas.width = size;
  canvas.height = size;
  const pen = canvas.getContext('2d');
  if (pen === null) return canvas;
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.beginPath();
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift - 1, size + 1);
    pen.lineTo(shift + size + 1, -1);
  }
  pen.stroke();
  return canvas;
}

/** One for the window: the theme is the window's. */
export const ink = new ChartInk();
