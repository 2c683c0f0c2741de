import { describe, expect, it } from 'vitest';
import { links } from './sankey';

const row = (parts: string[], octets: number) => ({
  ...{ name: parts.join(' · '), parts, octets },
  ...{ packets: 1, flows: 1, clients: 1 },
});
const of = (rows: ReturnType<typeof row>[]) =>
  links(rows, (it) => it.octets).map(({ source, target, value }) => [
    ...[source.column, source.name, target.name],
    value,
  ]);

describe('bands', () => {
  it('join two columns, those of the same ends in one', () => {
    expect(of([row(['a', 'x'], 5), row(['b', 'x'], 7), row(['a', 'x'], 3), row(['c', 'x'], 0)])).toEqual([
      [0, 'a', 'x', 8],
      [0, 'b', 'x', 7],
    ]);
  });

  it('join three columns, what comes in goes out', () => {
    expect(of([row(['a', 'mail', 'x'], 5), row(['b', 'mail', 'x'], 7), row(['b', 'mail', 'y'], 1)])).toEqual([
      [1, 'mail', 'x', 12],
      [0, 'b', 'mail', 8],
      [0, 'a', 'mail', 5],
      [1, 'mail', 'y', 1],
    ]);
  });

  it('never go round: who is client and server stands in both columns', () => {
    const all = links(
      [row(['a', 'b', 'a'], 1), row(['b', 'a', 'b'], 1), row(['a', 'a', 'a'], 1)],
      (it) => it.octets,
    );
    expect(all).toHaveLength(6);
    expect(all.every(({ source, target }) => target.column === source.column + 1)).toBe(true);
  });

  it('have no ends where a row has one name only', () => {
    expect(links([{ name: 'a', octets: 1, packets: 1, flows: 1, clients: 1 }], (it) => it.octets)).toEqual(
      [],
    );
  });

  it('do not mix up names with odd characters', () => {
    expect(of([row(['a"', 'b'], 1), row(['a', '"b'], 2)])).toHaveLength(2);
  });
});
