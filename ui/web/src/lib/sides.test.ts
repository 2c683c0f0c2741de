import { describe, expect, it } from 'vitest';
import { read } from './address';
import {
  follows,
  momentText,
  type Side,
  sharedOf,
  sideOf,
  sideParameters,
  sidesLink,
  sidesRoute,
  sideWords,
} from './sides';
import { understood } from './when';

const own = (query: string) => {
  const all = new URLSearchParams(query);
  return (name: string) => all.get(name) ?? undefined;
};
const range = { kind: 'range', from: '2026-03-01T10:00:00.000Z', to: '2026-03-01T11:00:00.000Z' } as const;
const whole: Side = { kind: 'recording', name: 'out & about', moment: { kind: 'all' } };
const now = Date.parse('2026-03-02T09:30:00Z');

describe('a side', () => {
  it('is the clock, and a day earlier, if nothing is said', () => {
    expect(sideOf('b', own(''))).toEqual({ kind: 'clock' });
    expect(sideOf('a', own(''))).toEqual({ kind: 'earlier', by: '1d' });
    expect(sideOf('a', own('a_shift=soon'))).toEqual({ kind: 'earlier', by: '1d' });
    expect(sidesLink(sideOf('a', own('')), sideOf('b', own('')))).toEqual({});
  });

  const sides: Side[] = [
    whole,
    { ...whole, moment: range },
    { ...whole, moment: { kind: 'paused', last: '1m', asOf: range.to } },
    { kind: 'stretch', moment: range },
    { kind: 'stretch', moment: { kind: 'live', last: '15m' } },
    { kind: 'earlier', by: '7d' },
    { kind: 'earlier', by: undefined },
  ];
  it.each(sides)('in an address is itself again: %j', (side) => {
    const link = sidesLink(side, { kind: 'clock' });
    expect(sideOf('a', own(String(new URLSearchParams(link))))).toEqual(side);
  });

  it('takes away what another one had said', () => {
    expect(sideParameters('a', { kind: 'earlier', by: '1d' })).toEqual({
      ...{ a_recording: undefined, a_last: undefined, a_from: undefined, a_to: undefined },
      ...{ a_as_of: undefined, a_shift: undefined },
    });
  });

  it('follows now, or not', () => {
    expect(follows({ kind: 'earlier', by: '1d' }, { kind: 'clock' })).toBe(true);
    expect(follows(whole, { kind: 'stretch', moment: { kind: 'live', last: '1h' } })).toBe(true);
    expect(follows({ kind: 'earlier', by: '1d' }, whole)).toBe(false);
  });
});

describe('the question', () => {
  const asked = (sides: [Side, Side], moment: Record<string, string>) => {
    const route = sidesRoute('servers', sides, moment, 50);
    expect(route.startsWith('/api/v1/compare/servers?')).toBe(true);
    return Object.fromEntries(new URLSearchParams(route.split('?')[1]));
  };
  it('of a recording and the same hour of the day before', () => {
    const filtered = { last: '15m', filter: 'tcp' };
    expect(asked([{ kind: 'earlier', by: '1d' }, whole], filtered)).toEqual({
      ...{ before_shift: '1d', after_recording: 'out & about' },
      ...{ filter: 'tcp', limit: '50' },
    });
  });
  it('of a stretch and what the clock shows', () => {
    const moment = { recording: 'x', last: '1m', as_of: range.to, known_at: 'as_of' };
    expect(asked([{ kind: 'stretch', moment: range }, { kind: 'clock' }], moment)).toEqual({
      ...{ before_from: range.from, before_to: range.to, limit: '50' },
      ...{ after_recording: 'x', after_last: '1m', after_as_of: range.to, after_known_at: 'as_of' },
    });
  });
  it('right before says nothing of it', () => {
    expect(asked([{ kind: 'earlier', by: undefined }, { kind: 'clock' }], { last: '1h' })).toEqual({
      ...{ after_last: '1h', limit: '50' },
    });
  });
});

describe('one side alone', () => {
  const shared = read(new URLSearchParams('recording=other&filter=tcp'));
  const totals = { ...range, octets: 0, flows: 0, octets_per_s: 0 };
  it('is a link to elsewhere', () => {
    expect(sharedOf(whole, shared, totals)).toMatchObject({
      recording: 'out & about',
      moment: { kind: 'all' },
    });
    expect(sharedOf({ kind: 'earlier', by: '1d' }, shared, totals)).toEqual({
      recording: undefined,
      known: 'final',
      moment: range,
    });
    expect(sharedOf({ kind: 'clock' }, shared, totals)).toEqual({});
  });
  it('in words', () => {
    expect(sideWords({ kind: 'earlier', by: '1d' }, totals, now)).toBe('yesterday 11:00–12:00');
    expect(sideWords({ kind: 'earlier', by: undefined }, undefined, now)).toBe('');
    expect(sideWords(whole, { ...totals, from: '2026-03-01T10:00:00.621Z' }, now)).toBe(
      'yesterday 11:00:01–12:00',
    );
  });
  it('as somebody writes it', () => {
    expect(momentText(range, now)).toBe('yesterday 11:00–12:00');
    expect(understood(momentText(range, now), now)).toEqual(range);
    expect(momentText({ kind: 'all' }, now)).toBe('');
  });
});
