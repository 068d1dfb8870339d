/** What goes where: one result on standard output, everything else on standard error. */
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

export const terminal: Terminal = {
  print: (text) => void process.stdout.write(`${text}\n`),
  json: (document) => void process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`),
  note: (text) => void process.stderr.write(`${text}\n`),
  paint: paintFor(process.stdout, process.env),
};
