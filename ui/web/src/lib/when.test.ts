import { describe, expect, it } from 'vitest';
import { ago, dayTime, length, stretch, ticks, understood, words } from './when';

// Tests run in Berlin, an hour east of UTC in winter: vite.config.ts.
const now = Date.parse('2026-03-02T09:30:00Z');
const at = (text: string) => Date.parse(text);

describe('times in words', () => {
  it('of days', () => {
    expect(dayTime(at('2026-03-02T09:42:05Z'), now)).toBe('today 10:42:05');
    expect(dayTime(at('2026-03-01T22:59:59Z'), now)).toBe('yesterday 23:59:59');
    expect(dayTime(at('2026-02-20T22:59:59Z'), now)).toBe('2026-02-20 23:59:59');
  });
  it('of stretches', () => {
    expect(stretch(at('2026-03-02T08:00:00Z'), at('2026-03-02T09:00:00Z'), now)).toBe('today 09:00–10:00');
    expect(stretch(at('2026-03-01T22:50:00Z'), at('2026-03-01T23:10:30Z'), now)).toBe(
      'yesterday 23:50 – today 00:10:30',
    );
  });
  it('of lengths and ages', () => {
    expect(['15m', '90s', '7d'].map(length)).toEqual(['15 min', '90 s', '7 d']);
    expect([0, 12, 240, 7200, 400_000].map((s) => ago(now - s * 1000, now))).toEqual([
      'now',
      '12 s ago',
      '4 min ago',
      '2 h ago',
      '2026-02-25',
    ]);
  });
  it('of the clock', () => {
    expect(words({ kind: 'live', last: '15m' }, now)).toBe('last 15 min');
    expect(words({ kind: 'paused', last: '5m', asOf: '2026-03-02T09:00:00Z' }, now)).toBe(
      '5 min until today 10:00:00',
    );
  });
});

describe('what people write', () => {
  const range = (from: string, to: string) => ({ kind: 'range', from: `${from}.000Z`, to: `${to}.000Z` });
  it.each([
    ['15m', { kind: 'live', last: '15m' }],
    ['last 2 hours', { kind: 'live', last: '2h' }],
    ['Last 10 min', { kind: 'live', last: '10m' }],
    ['today', range('2026-03-01T23:00:00', '2026-03-02T09:30:00')],
    ['today 08:00-09:30', range('2026-03-02T07:00:00', '2026-03-02T08:30:00')],
    ['yesterday 23:50 – today 00:10', range('2026-03-01T22:50:00', '2026-03-01T23:10:00')],
    ['10:00 - 10:15', range('2026-03-02T09:00:00', '2026-03-02T09:15:00')],
    ['2026-02-20 10:00 to 11:00', range('2026-02-20T09:00:00', '2026-02-20T10:00:00')],
    ['2026-02-20 to 2026-02-21', range('2026-02-19T23:00:00', '2026-02-21T23:00:00')],
    ['2026-02-20T10:00Z to 2026-02-20T11:00Z', range('2026-02-20T10:00:00', '2026-02-20T11:00:00')],
    ['yesterday 10:00Z to yesterday 11:00Z', range('2026-03-01T10:00:00', '2026-03-01T11:00:00')],
    ['2026-02-20 10:42', { kind: 'paused', last: '15m', asOf: '2026-02-20T09:42:00.000Z' }],
  ])('%s', (text, expected) => {
    expect(understood(text, now)).toEqual(expected);
  });
  it('is refused when it is nothing', () => {
    for (const text of ['', 'soon', '11:00-10:00', '25:99', '2026-99-99', '0m', 'a to b to c']) {
      expect(understood(text, now), text).toBeUndefined();
    }
  });
});

describe('marks of an axis', () => {
  it('stand at whole times of this zone', () => {
    const marks = ticks(at('2026-03-02T08:07:00Z'), at('2026-03-02T09:07:00Z'), 6);
    expect(marks.map((it) => it.text)).toEqual(['09:10', '09:20', '09:30', '09:40', '09:50', '10:00']);
    const days = ticks(at('2026-02-20T12:00:00Z'), at('2026-02-23T12:00:00Z'), 3);
    expect(days.map((it) => it.text)).toEqual(['02-21', '02-22', '02-23']);
  });
  it('stand at whole days over the end of summer time', () => {
    // Berlin put its clocks back on 2026-10-25.
    const days = ticks(at('2026-10-23T12:00:00Z'), at('2026-10-27T12:00:00Z'), 4);
    expect(days.map((it) => it.text)).toEqual(['10-24', '10-25', '10-26', '10-27']);
    expect(days.map((it) => new Date(it.at).toISOString().slice(11, 16))).toEqual([
      ...['22:00', '22:00', '23:00', '23:00'],
    ]);
    const spring = ticks(at('2026-03-27T12:00:00Z'), at('2026-03-31T12:00:00Z'), 4);
    expect(spring.map((it) => it.text)).toEqual(['03-28', '03-29', '03-30', '03-31']);
  });
});
