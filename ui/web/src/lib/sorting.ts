/** Rows of tables in an order. What is alike stands by name. No DOM. */

interface Named {
  name: string;
}

const byName = (a: Named, b: Named): number => a.name.localeCompare(b.name);

/** By a number; what has none is last, whichever way. */
export function sortedBy<Row extends Named>(
  rows: Row[],
  number: (row: Row) => number,
  isDown: boolean,
): Row[] {
  const sign = isDown ? -1 : 1;
  const value = (row: Row) => (Number.isNaN(number(row)) ? sign * Infinity : number(row));
  return [...rows].sort((a, b) => sign * (value(a) - value(b)) || byName(a, b));
}

/** By a word. */
export function sortedByWord<Row extends Named>(
  rows: Row[],
  word: (row: Row) => string | undefined,
  isDown: boolean,
): Row[] {
  const sign = isDown ? -1 : 1;
  const said = (row: Row) => word(row) ?? '';
  return [...rows].sort((a, b) => sign * (said(a).localeCompare(said(b)) || byName(a, b)));
}
