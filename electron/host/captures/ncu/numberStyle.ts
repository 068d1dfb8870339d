/** Which mark groups thousands and which one begins the fraction: `1,234.5` or `1.234,5`. */
export type NumberStyle = 'point' | 'comma';

export type ReadNumber =
  | { readonly value: number; readonly shows?: NumberStyle }
  /** One mark and three digits after it: 1,500 is 1500 or 1.5. */
  | { readonly ambiguous: string };

/**
 * A number as a tool printed it. `shows` says that it can only be of one style; numbers without any mark are of both.
 *
 *   1,154.50  point     1.154,50  comma     20,25  comma     1,000,000  point     1,500  ambiguous     42  both
 */
export function readNumber(text: string): ReadNumber | undefined {
  // Instanced metrics print `total (a; b; …)`: the total counts. Blanks and apostrophes group thousands in some locales.
  const first = text.replace(/\s*\(.*\)\s*$/s, '').trim();
  const plain = first.replace(/(?<=\d)[\u00a0\u202f\u2009 '’](?=\d{3}(\D|$))/g, '');
  if (/^0x[\da-fA-F]+$/.test(plain)) return { value: Number(plain) };
  const found = /^([-+]?)(\d[\d.,]*|[.,]\d+)([eE][-+]?\d+)?$/.exec(plain);
  if (found === null) return undefined;
  const [, sign = '', digits = '', exponent = ''] = found;
  const number = (mantissa: string): number => Number(sign + mantissa + exponent);
  if (/^\d+$/.test(digits)) return finite({ value: number(digits) });
  if (/^\d{1,3}(,\d{3})+\.\d*$/.test(digits) || /^\d{1,3}(,\d{3}){2,}$/.test(digits))
    return finite({ value: number(digits.replaceAll(',', '')), shows: 'point' });
  if (/^\d{1,3}(\.\d{3})+,\d*$/.test(digits) || /^\d{1,3}(\.\d{3}){2,}$/.test(digits))
    return finite({ value: number(digits.replaceAll('.', '').replace(',', '.')), shows: 'comma' });
  if (exponent === '' && /^[1-9]\d{0,2}[.,]\d{3}$/.test(digits)) return { ambiguous: sign + digits };
  if (/^\d*\.\d+$|^\d+\.$/.test(digits)) return finite({ value: number(digits), shows: 'point' });
  if (/^\d*,\d+$|^\d+,$/.test(digits))
    return finite({ value: number(digits.replace(',', '.')), shows: 'comma' });
  return undefined;
}

/** The value of an ambiguous number, once the style is known. */
export const inStyle = (ambiguous: string, style: NumberStyle): number =>
  Number(style === 'point' ? ambiguous.replace(',', '') : ambiguous.replace('.', '').replace(',', '.'));

function finite(read: { value: number; shows?: NumberStyle }): ReadNumber | undefined {
  return Number.isFinite(read.value) ? read : undefined;
}
