import { ink } from './chartInk.ts';
import type { Chart } from './echarts.ts';

export interface PictureHead {
  readonly title: string;
  readonly unit: string;
  readonly isSimulated: boolean;
  readonly legend: readonly { readonly label: string; readonly token: string }[];
}

/** A chart with its title, unit, mark and legend as PNG, twice the size on screen. */
export async function pictureOf(chart: Chart, head: PictureHead): Promise<Uint8Array> {
  const scale = 2;
  const headHeight = 44;
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
  const note = [head.unit, head.isSimulated ? 'simulated' : ''].filter((part) => part !== '').join(' · ');
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
