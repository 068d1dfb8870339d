import { ink } from './chartInk.ts';
import { type Chart, makeDrawing } from './echarts.ts';

export interface PictureHead {
  readonly title: string;
  readonly unit: string;
  readonly isSimulated: boolean;
  readonly legend: readonly { readonly label: string; readonly token: string }[];
}

const headHeight = 44;

/** A chart with its title, unit, mark and legend as PNG, twice the size on screen. */
export async function pictureOf(chart: Chart, head: PictureHead): Promise<Uint8Array> {
  const scale = 2;
  const plot = chart.renderToCanvas({ pixelRatio: scale, backgroundColor: ink.colour('--surface-1') });
  const canvas = document.createElement('canvas');
  canvas.width = plot.width;
  canvas.height = plot.height + headHeight * scale;
  const pen = canvas.getContext('2d');
  if (pen === null) throw new Error('this canvas cannot be drawn on');
  pen.fillStyle = ink.colour('--surface-1');
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(plot, 0, headHeight * scale);
  pen.scale(scale, scale);
  pen.textBaseline = 'middle';
  pen.font = '600 13px "Inter Variable", sans-serif';
  pen.fillStyle = ink.colour('--text');
  pen.fillText(head.title, 12, 15);
  let x = 12 + pen.measureText(head.title).width + 8;
  pen.font = '11px "Inter Variable", sans-serif';
  pen.fillStyle = ink.colour('--text-3');
  const note = noteOf(head);
  pen.fillText(note, x, 15);
  x = 12;
  for (const { label, token } of head.legend) {
    pen.fillStyle = ink.colour(token);
    pen.fillRect(x, 30, 10, 3);
    pen.fillStyle = ink.colour('--text-2');
    pen.fillText(label, x + 14, 32);
    x += 14 + pen.measureText(label).width + 14;
  }
  const blob = await new Promise<Blob | null>((done) => {
    canvas.toBlob(done, 'image/png');
  });
  if (blob === null) throw new Error('the picture could not be encoded');
  return new Uint8Array(await blob.arrayBuffer());
}

const noteOf = ({ unit, isSimulated }: PictureHead): string =>
  [unit, isSimulated ? 'simulated' : ''].filter((part) => part !== '').join(' · ');

const xml = (text: string): string => text.replace(/[<>&"]/g, (sign) => `&#${sign.codePointAt(0)};`);

/** The same as an SVG document of lines and text. `draw` sets the options of a chart of that size. */
export function drawingOf(
  draw: (chart: Chart) => void,
  size: { readonly width: number; readonly height: number },
  head: PictureHead,
): Uint8Array {
  const chart = makeDrawing(size.width, size.height);
  try {
    draw(chart);
    return new TextEncoder().encode(svgDocument(chart.renderToSVGString(), size, head));
  } finally {
    chart.dispose();
  }
}

function svgDocument(
  plot: string,
  { width, height }: { readonly width: number; readonly height: number },
  head: PictureHead,
): string {
  const pen = document.createElement('canvas').getContext('2d');
  const wide = (text: string, font: string): number => {
    if (pen === null) return text.length * 7;
    pen.font = font;
    return pen.measureText(text).width;
  };
  const text = (x: number, y: number, token: string, words: string, look: string) =>
    `<text x="${x.toFixed(1)}" y="${y}" fill="${ink.colour(token)}" font-family="Inter, sans-serif" ${look}>${xml(words)}</text>`;
  const parts = [text(12, 19, '--text', head.title, 'font-size="13" font-weight="600"')];
  const noteX = 20 + wide(head.title, '600 13px "Inter Variable", sans-serif');
  parts.push(text(noteX, 19, '--text-3', noteOf(head), 'font-size="11"'));
  let x = 12;
  for (const { label, token } of head.legend) {
    parts.push(`<rect x="${x.toFixed(1)}" y="30" width="10" height="3" fill="${ink.colour(token)}"/>`);
    parts.push(text(x + 14, 36, '--text-2', label, 'font-size="11"'));
    x += 28 + wide(label, '11px "Inter Variable", sans-serif');
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height + headHeight}" role="img" aria-label="${xml(head.title)}">
<rect width="100%" height="100%" fill="${ink.colour('--surface-1')}"/>
${parts.join('\n')}
<g transform="translate(0 ${headHeight})">${plot}</g>
</svg>
`;
}
