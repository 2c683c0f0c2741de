import { describe, expect, it } from 'vitest';
import { csv, seriesRows, topRows } from './download';

describe('files', () => {
  it('quote what RFC 4180 says, and let no name be a formula', () => {
    expect(
      csv([
        ['a,b', 'say "x"', 1.5],
        ['=1+1', '-x', -3],
      ]),
    ).toBe(`"a,b","say ""x""",1.5\r\n'=1+1,'-x,-3\r\n`);
  });

  it('have each point with its time', () => {
    const answer = {
      from: '2026-03-02T09:00:00.000Z',
      step_s: 60,
      by: 'octets' as const,
      lines: [{ name: 'a', values: [1, 2] }],
      previous: [{ name: 'a', values: [3, 4] }],
    };
    expect(seriesRows(answer)).toEqual([
      ['from', 'seconds', 'name', 'octets'],
      ['2026-03-02T08:58:00.000Z', 60, 'a', 3],
      ['2026-03-02T08:59:00.000Z', 60, 'a', 4],
      ['2026-03-02T09:00:00.000Z', 60, 'a', 1],
      ['2026-03-02T09:01:00.000Z', 60, 'a', 2],
    ]);
    expect(topRows([{ name: 'a', octets: 1, packets: 2, flows: 3, clients: 4 }])[1]).toEqual([
      'a',
      1,
      2,
      3,
      4,
    ]);
  });

  it('have a column for each of several dimensions', () => {
    const row = { name: 'a · b', parts: ['a', 'b'], octets: 1, packets: 2, flows: 3, clients: 4 };
    expect(topRows([row], ['sites', 'ports'])).toEqual([
      ['name', 'sites', 'ports', 'octets', 'packets', 'flows', 'clients'],
      ['a · b', 'a', 'b', 1, 2, 3, 4],
    ]);
    const answer = {
      from: '2026-03-02T09:00:00.000Z',
      step_s: 60,
      by: 'flows' as const,
      lines: [
        { name: 'a · b', values: [1] },
        { name: 'others', values: [2] },
      ],
    };
    expect(seriesRows(answer, ['sites', 'ports'])).toEqual([
      ['from', 'seconds', 'name', 'sites', 'ports', 'flows'],
      ['2026-03-02T09:00:00.000Z', 60, 'a · b', 'a', 'b', 1],
      ['2026-03-02T09:00:00.000Z', 60, 'others', '', '', 2],
    ]);
  });
});
