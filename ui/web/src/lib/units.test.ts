import { describe, expect, it } from 'vitest';
import { amount, axis, change, count, duration, percent, perSecond, rate, si, text } from './units';

const plain = (shown: string) => shown.replaceAll('\u00a0', ' ');

describe('numbers with prefixes', () => {
  it.each([
    [0, '0 bit/s'],
    [0.004, '<0.01 bit/s'],
    [0.5, '0.50 bit/s'],
    [1, '1.00 bit/s'],
    [999.4, '999 bit/s'],
    // Rounded before the prefix is chosen: nobody reads "1000 bit/s".
    [999.6, '1.00 kbit/s'],
    [12_345, '12.3 kbit/s'],
    [99_950, '100 kbit/s'],
    [1e6, '1.00 Mbit/s'],
    [-4.2e9, '−4.20 Gbit/s'],
    [1e12, '1.00 Tbit/s'],
  ])('%d is %s', (value, expected) => {
    expect(plain(text(rate(value, 'bit/s')))).toBe(expected);
  });

  it('what is no number is a dash', () => {
    expect(text(si(NaN, 'bit/s'))).toBe('–');
    expect(text(rate(NaN, 'flows/s'))).toBe('–');
    expect(count(Infinity)).toBe('–');
    expect(percent(NaN)).toBe('–');
  });

  it('packets and flows have their prefix before their name', () => {
    expect(plain(text(rate(1234, 'packets/s')))).toBe('1.23 k packets/s');
    expect(plain(text(rate(12, 'flows/s')))).toBe('12.0 flows/s');
    expect(plain(text(amount(5_602_136_921)))).toBe('5.60 GB');
  });

  it('octets of an interval become bits of a second', () => {
    expect(perSecond(1_250_000, 10, 'bit/s')).toBe(1_000_000);
    expect(perSecond(50, 5, 'flows/s')).toBe(10);
    expect(perSecond(50, 5, 'clients')).toBe(50);
  });

  it('an axis has one prefix', () => {
    expect(axis(240e6, 'bit/s')).toEqual({ divide: 1e6, unit: 'Mbit/s' });
    expect(axis(0, 'flows/s')).toEqual({ divide: 1, unit: 'flows/s' });
  });
});

describe('counts, shares and changes', () => {
  it.each([
    [12_345, '12,345'],
    [-7, '−7'],
    [999_999, '999,999'],
    [1_234_567, '1.23 M'],
  ])('%d is %s', (value, expected) => {
    expect(plain(count(value))).toBe(expected);
  });

  it.each([
    [0, 0, '–'],
    [0, 5, 'new'],
    [5, 0, 'gone'],
    [100, 112, '+12 %'],
    [100, 92, '−8 %'],
    [1000, 1001, '±0 %'],
    [1, 12, '×12'],
    [1, 99_999, '×>999'],
  ])('from %d to %d is %s', (before, after, expected) => {
    expect(plain(change(before, after))).toBe(expected);
  });

  it.each([
    [0.5, '50 %'],
    [0.0123, '1.2 %'],
    [0.00001, '<0.1 %'],
    [0, '0.0 %'],
    [1, '100 %'],
  ])('%d is %s', (share, expected) => {
    expect(plain(percent(share))).toBe(expected);
  });
});

describe('durations', () => {
  it.each([
    [0.4, '0.40 ms'],
    [320, '320 ms'],
    [999.7, '1.00 s'],
    [1250, '1.25 s'],
    [59_960, '1 min'],
    [123_000, '2 min 3 s'],
    [14_700_000, '4 h 5 min'],
    [86_400_000, '1 d'],
    [-1500, '−1.50 s'],
  ])('%d ms is %s', (ms, expected) => {
    expect(plain(duration(ms))).toBe(expected);
  });
});
