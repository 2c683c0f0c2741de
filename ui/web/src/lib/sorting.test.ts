import { expect, it } from 'vitest';
import { sortedBy, sortedByWord } from './sorting';

const rows = [
  { name: 'b', site: 'Rome', n: 1 },
  { name: 'none', site: undefined, n: NaN },
  { name: 'a', site: 'Rome', n: 1 },
  { name: 'every', site: 'Bern', n: Infinity },
  { name: 'all', site: 'Bonn', n: Infinity },
];
type Row = (typeof rows)[number];
const names = (sorted: Row[]) => sorted.map(({ name }) => name);

it('by number: what is alike by name, what has none last', () => {
  const number = ({ n }: Row) => n;
  expect(names(sortedBy(rows, number, true))).toEqual(['all', 'every', 'a', 'b', 'none']);
  expect(names(sortedBy(rows, number, false))).toEqual(['a', 'b', 'all', 'every', 'none']);
});

it('by word', () => {
  const site = (row: Row) => row.site;
  expect(names(sortedByWord(rows, site, false))).toEqual(['none', 'every', 'all', 'a', 'b']);
  expect(names(sortedByWord(rows, site, true))).toEqual(['b', 'a', 'all', 'every', 'none']);
});
