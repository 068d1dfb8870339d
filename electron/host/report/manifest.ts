// manifest.json as it lies in the bundle: written by this or another version, or by another program. Nothing is assumed.

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value at a dotted path; undefined if there is none. */
export function pathIn(value: unknown, path: string): unknown {
  let at = value;
  for (const key of path.split('.')) {
    if (!isRecord(at) || !Object.hasOwn(at, key)) return undefined;
    at = at[key];
  }
  return at;
}

export function textIn(value: unknown, path: string): string | undefined {
  const found = pathIn(value, path);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

/** Everything but the named top-level members as `path -> text`, in the order of the file. */
export function flattened(value: unknown, without: ReadonlySet<string>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const walk = (at: unknown, path: string): void => {
    if (Array.isArray(at)) {
      if (at.every((item) => !isRecord(item) && !Array.isArray(item))) {
        if (at.length > 0) found.set(path, at.map(plain).join(', '));
      } else {
        at.forEach((item, i) => {
          walk(item, `${path}[${i}]`);
        });
      }
    } else if (isRecord(at)) {
      for (const [key, inner] of Object.entries(at)) {
        if (path !== '' || !without.has(key)) walk(inner, path === '' ? key : `${path}.${key}`);
      }
    } else if (path !== '' && at !== undefined && at !== null && at !== '') {
      found.set(path, plain(at));
    }
  };
  walk(value, '');
  return found;
}

const plain = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
