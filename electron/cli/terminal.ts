/** The command's output: one result on standard output, everything else on standard error. */
export interface Terminal {
  /** The result, in words. */
  print(text: string): void;
  /** The result as one JSON document. */
  json(document: unknown): void;
  /** Progress, hints, where files went. */
  note(text: string): void;
  readonly paint: Paint;
}

export interface Paint {
  bold(text: string): string;
  faint(text: string): string;
  good(text: string): string;
  bad(text: string): string;
}

const code = (on: string, off: string, isOn: boolean) => (text: string) =>
  isOn ? `\x1b[${on}m${text}\x1b[${off}m` : text;

export function paintFor(stream: { readonly isTTY?: boolean }, environment: NodeJS.ProcessEnv): Paint {
  const isOn =
    stream.isTTY === true && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
  return {
    bold: code('1', '22', isOn),
    faint: code('2', '22', isOn),
    good: code('32', '39', isOn),
    bad: code('31', '39', isOn),
  };
}

const escapeCode = String.fromCharCode(27);
/** What `paintFor` writes; everything else that steers a terminal comes from outside. */
const ownPaint = ['1', '22', '2', '32', '39', '31'].map((code) => `${escapeCode}[${code}m`);
/** Controls, line separators, and marks that change the direction of writing. */
const steering = /\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const isLayout = (found: string): boolean => found === '\n' || found === '\t';

/** Text without anything that moves the cursor, sets a title or hides what follows: titles, notes and names come from files. */
export const harmless = (text: string): string =>
  text.replace(steering, (found, at: number) =>
    isLayout(found) || ownPaint.some((paint) => text.startsWith(paint, at)) ? found : '\ufffd',
  );

const escaped = (json: string): string =>
  json.replace(steering, (found) =>
    isLayout(found) ? found : `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

export const terminal: Terminal = {
  print: (text) => void process.stdout.write(`${harmless(text)}\n`),
  json: (document) => void process.stdout.write(`${escaped(JSON.stringify(document, undefined, 2))}\n`),
  note: (text) => void process.stderr.write(`${harmless(text)}\n`),
  paint: paintFor(process.stdout, process.env),
};
