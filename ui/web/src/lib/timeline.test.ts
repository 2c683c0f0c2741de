import { describe, expect, it } from 'vitest';
import { area, keptSpanMs, line, placeOf, spanMs } from './timeline';

const minutes = (n: number) => n * 60_000;

describe('the timeline', () => {
  it('has room around what is shown', () => {
    expect(spanMs({ from: minutes(-15), to: 0 }, 0)).toBe(minutes(60));
    expect(spanMs({ from: minutes(-60), to: 0 }, 0)).toBe(minutes(360));
    // A quarter of an hour, two hours ago.
    expect(spanMs({ from: minutes(-135), to: minutes(-120) }, 0)).toBe(minutes(180));
    expect(spanMs({ from: -1e12, to: 0 }, 0)).toBe(minutes(365 * 24 * 60));
  });

  it('stays as it is while what is shown is in it', () => {
    const shown = { from: minutes(-50), to: minutes(-35) };
    expect(keptSpanMs(minutes(60), shown, 0)).toBe(minutes(60));
    expect(keptSpanMs(undefined, shown, 0)).toBe(minutes(60));
    expect(keptSpanMs(minutes(60), { from: minutes(-70), to: minutes(-55) }, 0)).toBe(minutes(180));
    // So little of it that no hand could hold it.
    expect(keptSpanMs(minutes(24 * 60), { from: minutes(-1), to: 0 }, 0)).toBe(minutes(60));
  });

  it('has a place for each time, and for a moment alone', () => {
    expect([10, 15, 20].map((at) => placeOf(at, { from: 10, to: 20 }, 200))).toEqual([0, 100, 200]);
    expect(placeOf(10, { from: 10, to: 10 }, 200)).toBe(0);
  });

  it('draws within its box', () => {
    expect(area([0, 2, 1], 30, 10)).toBe('M0 10L0 10.0L5.0 10.0L15.0 0.0L25.0 5.0L30.0 5.0L30.0 10Z');
    expect(line([0, 4], 10, 12)).toBe('M0.0 11.0L10.0 1.0');
    expect(area([], 30, 10)).toBe('');
    expect(line([0, 0], 10, 12)).toBe('M0.0 11.0L10.0 11.0');
  });
});
