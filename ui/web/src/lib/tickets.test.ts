import { expect, test } from 'vitest';
import type { Ticket, TicketEvent, TicketEventKind } from './api/schema';
import { against, cameOf, deed, isSaid, measured, numberOf, stateOf, trend, written } from './tickets';

test('what stands in an address is a ticket, a state, or nothing', () => {
  expect(['42', '0', '-1', '1e3', '007', '', undefined].map(numberOf)).toEqual([42, ...Array<undefined>(6)]);
  expect(['open', 'closed', 'all', undefined].map(stateOf)).toEqual(['open', 'closed', undefined, undefined]);
});

test('use is told against the hour before, in words', () => {
  const used = (now: number, before: number | null) =>
    trend({ application: 'mail', octets_per_second: now, octets_per_second_before: before });
  expect(used(10, null)).toBe('not used in the hour before');
  expect(used(10, 10)).toBe('as in the hour before');
  expect(used(16, 10)).toBe('more than in the hour before');
  expect(used(6, 10)).toBe('less than in the hour before');
});

test('of a press whose answer was lost that came which says the same', () => {
  const own = [
    { number: 9, application: 'mail', words: 'slow' },
    { number: 8, application: 'erp', words: '' },
  ] as Ticket[];
  expect(cameOf({ application: 'mail', words: ' slow\r\n' }, own, 7)?.number).toBe(9);
  expect(cameOf({ application: 'erp', words: '' }, own, 7)?.number).toBe(8);
  // It was there before, or says something else.
  expect(cameOf({ application: 'mail', words: 'slow' }, own, 9)).toBeUndefined();
  expect(cameOf({ application: 'mail', words: 'quick' }, own, 7)).toBeUndefined();
});

const event = (kind: TicketEventKind, text = ''): TicketEvent => ({
  ...{ at: '2026-11-23T10:00:00Z', who: 'hal', kind, text },
});

test('what was done is told', () => {
  expect(deed(event('assigned', 'hal'))).toBe('took it');
  expect(deed(event('assigned', 'eve'))).toBe('gave it to eve');
  expect(deed(event('assigned'))).toBe('put it back');
  expect(deed(event('merged', '7'))).toBe('closed it: ticket 7 goes on');
  // What a press recorded is not for the story of it.
  expect(isSaid(event('pressed', 'ip 10.1.0.1'))).toBe(false);
  expect(isSaid(event('closed', 'a cable'))).toBe(true);
});

test('words keep their lines, and what is unseen in them is seen', () => {
  expect(written('slow\n\n\u202eagain')).toEqual(['slow', '', '⟨202E⟩again']);
});

test('what cannot be told is no nought', () => {
  const it = { clients: 1, octets_per_second: 1500, opened: 0, refused: null, unanswered: null };
  expect(measured({ ...it, duration_ms_median: null })).toEqual(['1', '1.50\u00a0kB/s', '0', '–', '–', '–']);
  expect(measured(undefined)).toEqual(Array(6).fill('–'));
  expect(
    against(
      { ...it, duration_ms_median: null },
      { ...it, octets_per_second: 3000, duration_ms_median: null },
    ),
  ).toBe('−50\u00a0%');
  expect(against({ ...it, duration_ms_median: null }, null)).toBe('–');
});
