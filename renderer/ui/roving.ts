import { type FocusEvent, type KeyboardEvent, type RefCallback, useEffect, useRef } from 'react';

/** Where the focus is: a row, and a control in it. */
export interface Place {
  readonly row: number;
  readonly column: number;
}

/** Where a key moves the focus, given how many controls each row has; undefined: the key is not ours. */
export function moveIn(rows: readonly number[], { row, column }: Place, key: string): Place | undefined {
  const to = (from: number, step: number): Place => {
    for (let at = from; at >= 0 && at < rows.length; at += step) {
      const controls = rows[at] ?? 0;
      if (controls > 0) return { row: at, column: Math.min(column, controls - 1) };
    }
    return { row, column };
  };
  if (rows.every((controls) => controls === 0)) return undefined;
  switch (key) {
    case 'ArrowDown':
      return to(row + 1, 1);
    case 'ArrowUp':
      return to(row - 1, -1);
    case 'ArrowRight':
      return { row, column: Math.min(column + 1, Math.max(0, (rows[row] ?? 1) - 1)) };
    case 'ArrowLeft':
      return { row, column: Math.max(0, column - 1) };
    case 'Home':
      return to(0, 1);
    case 'End':
      return to(rows.length - 1, -1);
    default:
      return undefined;
  }
}

const controls = 'button, input, a[href], [role="button"]';

const controlsOf = (container: HTMLElement, row: string): readonly (readonly HTMLElement[])[] =>
  [...container.querySelectorAll(row)].map((each) =>
    each instanceof HTMLElement && each.matches(controls)
      ? [each]
      : [...each.querySelectorAll<HTMLElement>(controls)].filter((it) => !it.matches(':disabled')),
  );

/**
 * One tab stop for a list or a table: Tab reaches the control that had the focus last (else the current one, else the first),
 * the arrow keys, Home and End go from there. `row` selects the rows in the container: `li`, `tbody tr`, or the controls
 * themselves.
 */
export function useRoving<E extends HTMLElement>(row: string) {
  const container = useRef<E>(null);
  const last = useRef<HTMLElement>(undefined);
  const settle = () => {
    if (container.current === null) return;
    const all = controlsOf(container.current, row).flat();
    const stop =
      all.find((it) => it === last.current) ?? all.find((it) => it.ariaCurrent === 'true') ?? all[0];
    for (const it of all) {
      const index = it === stop ? 0 : -1;
      if (it.tabIndex !== index) it.tabIndex = index;
    }
  };
  // Rows come and go with what is shown: after each drawing one of them is the stop.
  useEffect(settle);
  const ref: RefCallback<E> = (element) => {
    container.current = element;
  };
  return {
    ref,
    onFocus: (event: FocusEvent<E>) => {
      if (!(event.target instanceof HTMLElement) || !event.target.matches(controls)) return;
      last.current = event.target;
      settle();
    },
    onKeyDown: (event: KeyboardEvent<E>) => {
      if (container.current === null || event.ctrlKey || event.metaKey || event.altKey) return;
      const { target } = event;
      if (!(target instanceof HTMLElement)) return;
      const rows = controlsOf(container.current, row);
      const at = rows.findIndex((own) => own.includes(target));
      if (at < 0) return;
      const column = rows[at]?.indexOf(target) ?? 0;
      const next = moveIn(
        rows.map((own) => own.length),
        { row: at, column },
        event.key,
      );
      if (next === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      rows[next.row]?.[next.column]?.focus();
    },
  };
}
