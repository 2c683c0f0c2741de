/** Tickets in words. No DOM here. */

import type { Measures, Ticket, TicketEvent, TicketState, Used } from './api/schema';
import { harmless } from './names';
import { amount, change, count, duration, text } from './units';

export const STATES: Record<TicketState, string> = {
  open: 'open',
  escalated: 'with an engineer',
  closed: 'closed',
};

/** A state as it may stand in an address. */
export const stateOf = (text: string | undefined): TicketState | undefined =>
  (Object.keys(STATES) as TicketState[]).find((it) => it === text);

/** A ticket's number as it may stand in an address. */
export const numberOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;

/** More and less than this is said in words. */
const NOTABLE = 1.5;

/** How much an application is used against the hour before. */
export function trend({ octets_per_second: now, octets_per_second_before: before }: Used): string {
  if (!before) return 'not used in the hour before';
  if (now > before * NOTABLE) return 'more than in the hour before';
  if (now < before / NOTABLE) return 'less than in the hour before';
  return 'as in the hour before';
}

/** What a press said, as a ticket has it. */
export interface Said {
  application: string;
  words: string;
}

/**
 * The ticket that came of a press whose answer was lost, among one's own: one that says the same, and was not there before. `newest` is
 * the number of the last one that was.
 */
export const cameOf = ({ application, words }: Said, own: Ticket[], newest: number): Ticket | undefined =>
  own.find(
    (it) =>
      it.number > newest &&
      it.application === application &&
      it.words === words.replaceAll('\r\n', '\n').trim(),
  );

/** What somebody wrote, line by line. */
export const written = (words: string): string[] =>
  words.split('\n').map((line) => (line.trim() === '' ? '' : harmless(line, 2000)));

/** What was done with a ticket, as what follows a name: "anna took it". */
export function deed({ kind, text, who }: TicketEvent): string {
  const said = harmless(text, 300);
  switch (kind) {
    case 'pressed':
      return 'reported it';
    case 'assigned':
      if (!text) return 'put it back';
      return text === who ? 'took it' : `gave it to ${said}`;
    case 'commented':
      return 'wrote';
    case 'escalated':
      return 'gave it to an engineer';
    case 'merged':
      return `closed it: ticket ${said} goes on`;
    case 'took_in':
      return `goes on with ticket ${said}, too`;
    case 'closed':
      return 'closed it';
    case 'reopened':
      return 'opened it again';
  }
}

/** Whether the text of an event is somebody's own words. */
export const isSaid = ({ kind, text }: TicketEvent): boolean =>
  text !== '' && ['commented', 'escalated', 'closed', 'reopened'].includes(kind);

const absent = '–';
const or = (value: number | null | undefined, said: (value: number) => string): string =>
  typeof value === 'number' ? said(value) : absent;

/** The columns of a comparison. */
export const MEASURES = ['Clients', 'Traffic', 'Opened', 'Refused', 'Unanswered', 'Duration'] as const;

/** What was measured, a text for each column; `–` where it cannot be told. */
export function measured(it: Measures | null | undefined): string[] {
  if (!it) return MEASURES.map(() => absent);
  return [
    count(it.clients),
    `${text(amount(it.octets_per_second))}/s`,
    or(it.opened, count),
    or(it.refused, count),
    or(it.unanswered, count),
    or(it.duration_ms_median, duration),
  ];
}

/** How traffic is against another's. */
export const against = (now: Measures, other: Measures | null | undefined): string =>
  other ? change(other.octets_per_second, now.octets_per_second) : absent;
