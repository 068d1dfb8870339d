import { InputError } from '../../../../workloads/run/inputError.ts';
import { CsvRows, delimiterOf } from '../../../../workloads/traffic/csvRows.ts';
import { badFile } from '../captureError.ts';

/**
 * The rows of a profiler's table, one by one, so that a large file never lies in memory whole. The lines that a tool prints
 * before its table are rows too. Commas, semicolons or tabs separate fields, as the header shows. A field that never ends
 * ends the import.
 */
export async function* csvRecords(path: string, chunks: AsyncIterable<string>): AsyncGenerator<string[]> {
  const ready: string[][] = [];
  let rows: CsvRows | undefined;
  let head = '';
  const take = (fields: readonly string[]): boolean => {
    ready.push([...fields]);
    return true;
  };
  const begin = (): CsvRows => {
    const header = head.split(/\r?\n/).find((line) => /kernel ?name|metric name|"?name"?\s*$/i.test(line));
    return new CsvRows(path, delimiterOf(header ?? head.split('\n')[0] ?? ''), take);
  };
  try {
    for await (const chunk of chunks) {
      if (rows === undefined) {
        head += chunk;
        if (head.length < headChars) continue;
        rows = begin();
        rows.push(head);
      } else rows.push(chunk);
      if (ready.length === 0) continue;
      yield* ready;
      ready.length = 0;
    }
    if (rows === undefined) {
      rows = begin();
      rows.push(head);
    }
    rows.end();
  } catch (thrown) {
    if (!(thrown instanceof InputError)) throw thrown;
    yield* ready;
    const what = thrown.message.startsWith(`${path}:`)
      ? thrown.message.slice(path.length + 1)
      : thrown.message;
    throw badFile(path, `line ${what}; the file is cut off, or is it CSV?`);
  }
  yield* ready;
}

const headChars = 64 * 1024;
