import { RunFailure } from './runFailure.ts';

/** Longest single text of a message, and how many texts and objects it may hold in all. */
const mostCharacters = 1_000_000;
const mostParts = 2_000_000;

/** Throws RunFailure `bad_input` where a message holds a text, or a number of parts, that no view of Dyno sends. */
export function requireBounded(method: string, message: unknown): void {
  let parts = 0;
  let characters = 0;
  const open: unknown[] = [message];
  while (open.length > 0) {
    const value = open.pop();
    if (++parts > mostParts)
      throw new RunFailure({
        code: 'bad_input',
        message: `${method}: a message of more than ${mostParts} parts`,
      });
    if (typeof value === 'string') {
      characters += value.length;
      if (characters > mostCharacters)
        throw new RunFailure({
          code: 'bad_input',
          message: `${method}: texts of more than ${mostCharacters} characters`,
        });
    } else if (ArrayBuffer.isView(value)) continue;
    else if (Array.isArray(value)) for (const inner of value) open.push(inner);
    else if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) open.push(key, inner);
  }
}
