import { describe, expect, it } from 'vitest';
import type { SeriesAnswer } from './api/schema';
import { drawn } from './drawing/lines';
import { sided, withDirections, withOthers } from './directions';
import { canNarrow, clauseOf } from './parts';

const answer = (from: string, lines: [string, number[]][]): SeriesAnswer => ({
  from: `2026-03-02T09:00:${from}.000Z`,
  step_s: 10,
  by: 'octets',
  lines: lines.map(([name, values]) => ({ name, values })),
});

describe('directions', () => {
  it('are one of the groups, or not', () => {
    expect(withDirections(['sites'], true)).toEqual(['sites', 'directions']);
    expect(withDirections(['directions', 'sites'], false)).toEqual(['sites']);
    expect(withDirections(['directions'], false)).toEqual(['applications']);
  });

  it('are told by the name of a line', () => {
    expect(sided('web · from server', ['applications', 'directions'])).toEqual({
      name: 'web',
      isBelow: true,
    });
    expect(sided('from client · web · a', ['directions', 'applications', 'sites'])).toEqual({
      name: 'web · a',
      isBelow: false,
    });
    expect(sided('from server', ['directions'])).toEqual({ name: 'from server', isBelow: true });
    // An application with that name is none.
    expect(sided('from server', ['applications'])).toEqual({ name: 'from server', isBelow: false });
    expect(drawn(answer('00', [['from server', [10]]]), 'bit/s', undefined, ['directions'])).toMatchObject([
      { isBelow: true, values: [8] },
    ]);
  });

  it('leave of each what is not among the largest', () => {
    const groups = ['applications', 'directions'] as const;
    const largest = answer('10', [
      ['web · from server', [70, 50]],
      ['web · from client', [10, 10]],
      ['others', [25, 0]],
    ]);
    const totals = answer('00', [
      ['from server', [1, 90, 50]],
      ['from client', [1, 15, 9]],
    ]);
    expect(withOthers(largest, totals, groups).lines.slice(2)).toEqual([
      { name: 'others · from client', values: [5, 0] },
      { name: 'others · from server', values: [20, 0] },
    ]);
    expect(sided('others · others · from server', ['applications', 'sites', 'directions']).name).toBe(
      'others',
    );
    // None is left: nothing is added.
    const whole = answer('00', [['web · from server', [70]]]);
    expect(withOthers(whole, totals, groups)).toBe(whole);
  });

  it('are no part of a filter', () => {
    expect(clauseOf(['applications', 'directions'], ['web', 'from server'])).toBe('app "web"');
    expect(canNarrow(['applications', 'directions'])).toBe(true);
    expect(canNarrow(['directions'])).toBe(false);
  });
});
