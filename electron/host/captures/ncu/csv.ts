import { badFile } from '../captureError.ts';

/**
 * Comma-separated text as RFC 4180 has it: quoted fields may hold commas, quotes (doubled) and line breaks. Lines come
 * out one by one, so a large file never lies in memory whole; a line longer than the limit ends the import.
 */
export const longestCsvRecord = 4 * 2 ** 20;

export async function* csvRecords(path: string, chunks: AsyncIterable<string>): AsyncGenerator<string[]> {
  let fields: string[] = [];
  let field = '';
  let quoted = false;
  let afterQuote = false;
  let length = 0;
  let started = false;
  for await (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i += 1) {
      const c = chunk.charAt(i);
      length += 1;
      if (length > longestCsvRecord)
        throw badFile(path, `has a line longer than ${longestCsvRecord} characters; is it CSV?`);
      if (quoted && !afterQuote) {
        if (c === '"') afterQuote = true;
        else field += c;
        continue;
      }
      if (afterQuote) {
        afterQuote = false;
        if (c === '"') {
          field += '"';
          continue;
        }
        quoted = false;
      }
      if (c === '"' && field === '') {
        quoted = true;
        started = true;
      } else if (c === ',') {
        fields.push(field);
        field = '';
        started = true;
      } else if (c === '\n') {
        if (field.endsWith('\r')) field = field.slice(0, -1);
        if (started || field !== '') yield [...fields, field];
        fields = [];
        field = '';
        length = 0;
        started = false;
      } else field += c;
    }
  }
  if (quoted && !afterQuote) throw badFile(path, 'ends inside a quoted field: it is cut off');
  if (started || field !== '') yield [...fields, field.endsWith('\r') ? field.slice(0, -1) : field];
}
