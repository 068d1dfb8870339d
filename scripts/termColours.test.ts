import { expect, test } from 'vitest';
import { TermPalette } from '../renderer/charts/termPalette.ts';
import { routers } from '../workloads/routing/routers.ts';

test.each(routers.map((router) => [router.id, router.terms.map(({ id }) => id)] as const))(
  'the terms of %s have colours of their own, whatever was shown before',
  (_id, terms) => {
    const fresh = terms.map((term) => new TermPalette().tokenOf(term));
    expect(new Set(fresh).size).toBe(terms.length);
    const palette = new TermPalette();
    for (const other of routers.flatMap((router) => router.terms)) palette.tokenOf(other.id);
    expect(terms.map((term) => palette.tokenOf(term))).toEqual(fresh);
  },
);
