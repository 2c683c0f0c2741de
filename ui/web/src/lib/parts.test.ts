import { describe, expect, it } from 'vitest';
import { clauseOf, partsOf, partsOfRow } from './parts';

describe('names of groups', () => {
  it('are taken apart where it is certain', () => {
    expect(partsOf('web · berlin', 2)).toEqual(['web', 'berlin']);
    expect(partsOf('a · b', 1)).toEqual(['a · b']);
    expect(partsOf('a · b · berlin', 2)).toBeUndefined();
    expect(partsOf('others', 2)).toBeUndefined();
  });

  it('are what the server says of a row', () => {
    const row = { name: 'a · b · c', octets: 0, packets: 0, flows: 0, clients: 0 };
    expect(partsOfRow({ ...row, parts: ['a · b', 'c'] })).toEqual(['a · b', 'c']);
    expect(partsOfRow(row)).toEqual(['a · b · c']);
  });

  it('are a filter together', () => {
    expect(clauseOf(['applications', 'clients'], ['web', '10.0.0.1'])).toBe(
      'app "web" and client ip 10.0.0.1',
    );
    expect(clauseOf(['applications', 'clients'], ['web', '(unknown)'])).toBeUndefined();
    expect(clauseOf(['applications', 'sites'], undefined)).toBeUndefined();
  });
});
