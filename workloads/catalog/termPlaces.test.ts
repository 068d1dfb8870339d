import { expect, test } from 'vitest';
import { routers } from '../routing/routers.ts';
import { termPlaces } from './termPlaces.ts';

test.each(routers.map((router) => [router.id, router.terms.map(({ id }) => id)] as const))(
  'every term of %s has a place of its own',
  (_id, terms) => {
    const places = terms.map((term) => termPlaces[term]);
    expect(places).not.toContain(undefined);
    expect(new Set(places).size).toBe(terms.length);
  },
);
