import { describe, expect, it } from 'vitest';
import type { SeriesAnswer } from '../api/schema';
import { drawn, highest, middle, timeLabel, summed } from './lines';

const answer: SeriesAnswer = {
  from: '2026-03-02T09:00:00.000Z',
  step_s: 10,
  by: 'octets',
  lines: [
    { name: 'a', values: [1250, 2500, 0] },
    { name: 'others', values: [1250, 0, 1250] },
  ],
  previous: [{ name: 'a', values: [12_500, 0, 0] }],
};

describe('lines', () => {
  it('are rates', () => {
    expect(drawn(answer, 'bit/s')[0]?.values).toEqual([1000, 2000, 0]);
    expect(drawn(answer, 'flows/s')[0]?.values).toEqual([125, 250, 0]);
  });

  it('have no interval that is not over', () => {
    const until = Date.parse('2026-03-02T09:00:27Z');
    expect(drawn(answer, 'bit/s', until).map((line) => line.values.length)).toEqual([2, 2, 2]);
    expect(drawn(answer, 'bit/s', until + 3000)[0]?.values).toHaveLength(3);
    // What is shown now is another time: nothing is known of how whole this one is.
    expect(drawn(answer, 'bit/s', until - 60_000)[0]?.values).toHaveLength(3);
  });

  it('reach as high as their stack, or as the period before', () => {
    const all = drawn(answer, 'bit/s');
    expect(
      highest(
        all.filter((line) => !line.isPrevious),
        true,
      ),
    ).toBe(2000);
    expect(highest(all, true)).toBe(10_000);
    expect(highest([], true)).toBe(0);
  });

  it('stand in the middle of their interval', () => {
    expect(middle(answer, 1)).toBe(Date.parse('2026-03-02T09:00:15Z'));
  });

  it('have times as fine as their span needs', () => {
    const at = Date.parse('2026-03-02T09:00:15Z');
    expect(timeLabel(at, 60_000)).toBe('10:00:15');
    expect(timeLabel(at, 3_600_000)).toBe('10:00');
    expect(timeLabel(Date.parse('2026-03-01T23:00:00Z'), 7 * 86_400_000)).toBe('03-02');
  });
});

it('all lines together are their sums, without what was before', () => {
  const together = summed(
    {
      from: '2026-03-01T10:00:00Z',
      step_s: 10,
      by: 'octets',
      lines: [
        { name: 'a', values: [10, 20] },
        { name: 'b', values: [30, 40] },
      ],
      previous: [{ name: 'a', values: [1000, 1000] }],
    },
    'bit/s',
  );
  // (10 + 30) octets in 10 s are 32 bit/s.
  expect(together).toEqual({ values: [32, 48], mean: 40 });
  expect(summed(undefined, 'bit/s').values).toEqual([]);
});
