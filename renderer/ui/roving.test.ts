import { expect, it } from 'vitest';
import { moveIn } from './roving.ts';

// Rows of two, one and two controls.
const rows = [2, 1, 2];

it('up and down keep the column where the row has it, left and right stay in the row', () => {
  expect(moveIn(rows, { row: 0, column: 1 }, 'ArrowDown')).toEqual({ row: 1, column: 0 });
  expect(moveIn(rows, { row: 1, column: 0 }, 'ArrowDown')).toEqual({ row: 2, column: 0 });
  expect(moveIn(rows, { row: 2, column: 0 }, 'ArrowRight')).toEqual({ row: 2, column: 1 });
  expect(moveIn(rows, { row: 2, column: 1 }, 'ArrowRight')).toEqual({ row: 2, column: 1 });
  expect(moveIn(rows, { row: 2, column: 1 }, 'ArrowDown')).toEqual({ row: 2, column: 1 });
  expect(moveIn(rows, { row: 0, column: 0 }, 'ArrowUp')).toEqual({ row: 0, column: 0 });
});

it('Home and End reach the ends; other keys and an empty list move nothing', () => {
  expect(moveIn(rows, { row: 1, column: 0 }, 'End')).toEqual({ row: 2, column: 0 });
  expect(moveIn(rows, { row: 2, column: 1 }, 'Home')).toEqual({ row: 0, column: 1 });
  expect(moveIn(rows, { row: 1, column: 0 }, 'a')).toBeUndefined();
  expect(moveIn([], { row: 0, column: 0 }, 'End')).toBeUndefined();
});

it('a row without a control is passed over', () => {
  expect(moveIn([1, 0, 1], { row: 0, column: 0 }, 'ArrowDown')).toEqual({ row: 2, column: 0 });
  expect(moveIn([1, 0], { row: 0, column: 0 }, 'ArrowDown')).toEqual({ row: 0, column: 0 });
});
