import type { Manifest } from '../store/manifest.ts';

export interface Difference {
  readonly path: string;
  readonly baseline: string;
  readonly optimized: string;
}

function flatten(value: unknown, path: string, into: Map<string, string>): void {
  if (typeof value === 'object' && value !== null) {
    const entries = Array.isArray(value) ? value.entries() : Object.entries(value);
    for (const [key, child] of entries) flatten(child, path === '' ? String(key) : `${path}.${key}`, into);
  } else into.set(path, typeof value === 'string' ? value : JSON.stringify(value));
}

/** The differences between two runs, by dotted path: of the whole spec, the machine and the versions. */
export function differencesOf(a: Manifest, b: Manifest): Difference[] {
  const described = ({ spec, hardware, versions, git_commit }: Manifest) => {
    const into = new Map<string, string>();
    flatten(spec, '', into);
    flatten(hardware, 'machine', into);
    flatten(versions, 'versions', into);
    if (git_commit !== undefined) into.set('git_commit', git_commit);
    return into;
  };
  const left = described(a);
  const right = described(b);
  const paths = [...new Set([...left.keys(), ...right.keys()])];
  return paths.flatMap((path) => {
    const baseline = left.get(path) ?? '–';
    const optimized = right.get(path) ?? '–';
    return baseline === optimized ? [] : [{ path, baseline, optimized }];
  });
}
