import { expect, test } from 'vitest';
import type { Ticket } from './api/schema';
import { held, whoseAsked, whoseOf } from './queue';

const tickets = (...numbers: number[]) => numbers.map((number) => ({ number, state: 'open' }) as Ticket);

test('whose is said in the address', () => {
  expect(['mine', 'nobody', 'theirs', undefined].map(whoseOf)).toEqual([
    'mine',
    'nobody',
    'anybody',
    'anybody',
  ]);
  expect(whoseAsked('mine', 'hal')).toEqual({ assignee: 'hal' });
  expect(whoseAsked('nobody', 'hal')).toEqual({ unassigned: true });
  expect(whoseAsked('anybody', 'hal')).toEqual({});
});

test('what comes is counted, and moves nothing', () => {
  const found = held(tickets(5, 4, 3), tickets(7, 6, 5, 4, 3), 50);
  expect(found.rows.map(({ ticket }) => ticket.number)).toEqual([5, 4, 3]);
  expect(found.fresh).toBe(2);
  expect(held([], tickets(1), 50)).toEqual({ rows: [], fresh: 1 });
});

test('what changes is shown, and what has left says so', () => {
  const [five] = tickets(5);
  const taken = { ...five, assignee: 'hal' } as Ticket;
  const { rows } = held(tickets(5, 4, 3), [taken, ...tickets(3)], 50);
  expect(rows).toEqual([
    { ticket: taken, isGone: false },
    { ticket: tickets(4)[0], isGone: true },
    { ticket: tickets(3)[0], isGone: false },
  ]);
});

test('what was pushed off the page by others has not left', () => {
  const { rows, fresh } = held(tickets(5, 4, 3), tickets(7, 6, 5), 3);
  expect(rows.map(({ isGone }) => isGone)).toEqual([false, false, false]);
  expect(fresh).toBe(2);
});
