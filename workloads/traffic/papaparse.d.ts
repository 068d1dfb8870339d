/** The part of papaparse that is used here. Its published types pull in those of Node and the DOM, which this room must not see. */
declare module 'papaparse' {
  interface Parsed {
    readonly data: string[][];
    readonly errors: readonly { readonly code: string; readonly row?: number }[];
    /** `cursor`: where the next row begins in the text that was parsed. */
    readonly meta: { readonly cursor: number };
  }
  class Parser {
    constructor(config: { readonly delimiter: string; readonly newline: string });
    parse(text: string, baseIndex: number, ignoreLastRow: boolean): Parsed;
  }
  const papaparse: { readonly Parser: typeof Parser };
  export default papaparse;
}
