/**
 * HTML as a type of its own. Only `html` makes it from data, and it escapes every string it is handed, so nothing that a user,
 * a trace or a manifest wrote can become an element or an attribute. `trusted` is for what this program drew itself.
 */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Content = Markup | string | number | undefined | false | readonly Content[];

export const trusted = (text: string): Markup => new Markup(text);
export const nothing = trusted('');

/** html`<p title="${any}">${text}</p>`: strings are escaped for text and quoted attributes, lists are joined. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  let text = parts[0] ?? '';
  values.forEach((value, i) => {
    text += toText(value) + (parts[i + 1] ?? '');
  });
  return new Markup(text);
}

function toText(value: Content): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Markup) return value.text;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return escapeText(value);
  return value.map(toText).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escapeText = (text: string): string =>
  printable(text).replace(/[&<>"']/g, (c) => entities[c] ?? c);

/** Control characters are no text, and direction overrides make a line read as another one: both become U+FFFD. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');

/** The first `length` characters, with an ellipsis where something was cut off. */
export function shortened(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}
