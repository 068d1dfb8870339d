import { InputError } from '../../../../workloads/run/inputError.ts';
import { JsonElements } from '../../../../workloads/traffic/traces/jsonElements.ts';
import { badFile } from '../captureError.ts';
import type { ImportBudget } from '../importBudget.ts';

/** An event of Chrome's trace format, as far as it is used. */
export interface ChromeEvent {
  readonly ph?: unknown;
  readonly cat?: unknown;
  readonly name?: unknown;
  readonly pid?: unknown;
  readonly tid?: unknown;
  readonly ts?: unknown;
  readonly dur?: unknown;
  readonly id?: unknown;
  readonly args?: unknown;
}

/** What stands before the events of a trace that is an object: `"traceEvents": [`. */
const opening = /"traceEvents"\s*:\s*\[/;
/** Metadata of a PyTorch trace (devices, distributed information) stands before its events. */
const mostPreamble = 16 * 2 ** 20;

/**
 * The events of a Chrome trace one by one, out of an array or of an object with `traceEvents`; the text before them is
 * returned. A trace is never in memory whole. An array may end without its closing bracket, as the format allows.
 */
export async function readChromeEvents(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  budget: ImportBudget,
  take: (event: ChromeEvent) => void,
): Promise<{ readonly preamble: string; readonly cutOff: boolean }> {
  const decoder = new TextDecoder();
  let preamble = '';
  let elements: JsonElements | undefined;
  const element = (bytes: Uint8Array, start: number, end: number, number: number): boolean => {
    budget.spendRow();
    let value: unknown;
    try {
      value = JSON.parse(decoder.decode(bytes.subarray(start, end)));
    } catch (thrown) {
      throw badFile(
        path,
        `event ${number} is no JSON (${thrown instanceof Error ? thrown.message : ''}), expected an object of Chrome's trace format`,
      );
    }
    if (typeof value === 'object' && value !== null) take(value);
    return true;
  };
  let ended = false;
  try {
    for await (const chunk of chunks) {
      if (budget.isDue()) await budget.breathe();
      let part = chunk;
      if (elements === undefined) {
        // One character per byte, so that the place in the text is the place in the bytes.
        preamble += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
        const isArray = /^(\u00ef\u00bb\u00bf)?\s*\[/.exec(preamble);
        const found = isArray ?? opening.exec(preamble);
        if (found === null) {
          if (preamble.length > mostPreamble) break;
          continue;
        }
        elements = new JsonElements(path, element, true);
        part = Buffer.from(preamble.slice(found.index + found[0].length), 'latin1');
        preamble = preamble.slice(0, found.index);
      }
      if (!elements.push(part)) {
        ended = true;
        break;
      }
    }
  } catch (thrown) {
    if (thrown instanceof InputError) throw badFile(path, thrown.message.replace(`${path}: `, ''));
    throw thrown;
  }
  if (elements === undefined)
    throw badFile(
      path,
      'JSON without "traceEvents", expected a Chrome trace or a report of Nsight (.nsys-rep, .sqlite, .ncu-rep or .csv)',
    );
  return { preamble, cutOff: !ended };
}
