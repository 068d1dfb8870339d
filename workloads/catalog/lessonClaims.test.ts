import { describe, expect, test } from 'vitest';
import { findTarget } from './catalog.ts';
import { commandOf, lessonClaims, recreate } from './lessonClaims.ts';

describe('figures of the lessons', () => {
  test.each(lessonClaims.map((claim) => [claim.says, claim] as const))(
    '“%s” stands in its lesson',
    (says, claim) => {
      const target = findTarget(claim.target);
      expect(target?.lesson).toContain(says);
      expect(target?.variants.map(({ id }) => id)).toContain(claim.variant);
      expect(Object.keys(claim.set).filter((id) => !target?.parameters.some((p) => p.id === id))).toEqual([]);
    },
  );

  const quick = lessonClaims.filter(({ nightly }) => !nightly);
  test.each(quick.map((claim) => [`${commandOf(claim)} ${claim.figure}`, claim] as const))(
    '%s',
    (_, claim) => {
      const { value, holds } = recreate(claim);
      expect(holds, `${value}, said ${claim.value} ± ${100 * claim.within} %`).toBe(true);
    },
    120_000,
  );
});
